"""The tables of behaviours: their columns."""

from __future__ import annotations

from echochamber.analysis.tables.decomposition import PARTS_OF_GAIN
from echochamber.analysis.theory.predictions import COLUMNS as OF_LAWS
from echochamber.analysis.theory.trajectories import FIELD
from echochamber.stats.columns import (
    ID,
    MEASURED,
    OF_RUN,
    QUESTION_SET,
    SAMPLED,
    SETTING,
    START,
    STEP,
    Column,
    Table,
)

BEHAVIOUR = Column("behaviour", "text", "name in the grid file")
MARK = Column("mark", "text", "of several that it has; empty: it has labels")
LABEL = Column("label", "text", "of the behaviour, `yes` and `no` of a mark; empty: all labels")
LAWS = tuple(column for column in OF_LAWS if column.name in ("law", "beta", "strict", "reason"))
SHARES = Table(
    "behaviour_shares",
    "the share of a label among the samples of a checkpoint, or the accuracy of those that bear it",
    (
        *(ID, *SETTING, STEP, SAMPLED, QUESTION_SET, BEHAVIOUR, MARK),
        Column("metric", "text", "`share`, or `accuracy` of the completions with the label, by the default rule"),
        *(LABEL, *MEASURED),
    ),
)
GAINS = Table(
    "behaviour_gains",
    "a part of the gain in accuracy of a run, or of a setting over its seeds, as labels divide it",
    (
        *(*OF_RUN, BEHAVIOUR, MARK),
        Column("part", "text", "`selection`, `refinement`, `interaction`, or `total`, as of formats"),
        *(LABEL, *MEASURED),
    ),
    notes=f"The parts are those of `{PARTS_OF_GAIN.name}`, with labels for formats.",
)
THEORY = Table(
    "behaviour_theory",
    "a foretold or measured share of a label on the held-out questions at the end of a run, or the error",
    (
        *(ID, *SETTING, START, QUESTION_SET, BEHAVIOUR, MARK, *LAWS),
        Column(
            "measure",
            "text",
            "`base`, `foretold`, `measured`, each of a label; `error` of what is foretold, `error_base` of no change",
        ),
        *(LABEL, *MEASURED),
    ),
    notes=(
        "Foretold by the law of the run's algorithm from the base model's samples on the same held-out questions, "
        "corrected for their number (docs/theory.md). Errors are the root mean square over labels."
    ),
)
PICKS = Table(
    "behaviour_picks",
    "the label that a rule expects to be the most frequent one after RL, and the one that is",
    (
        *(ID, *SETTING, START, QUESTION_SET, BEHAVIOUR),
        Column("predictor", "text", "`most frequent`, `most accurate`, `shortest` in the base model; `law` of its RL"),
        Column("pick", "text", "the label that it expects"),
        Column("winner", "text", "the most frequent label after RL"),
        Column("hit", "boolean", "they are one"),
    ),
    notes="Of behaviours with labels; of marks `behaviour_theory` says whether they grow.",
)
FORECAST = Table(
    "behaviour_forecast",
    "what RL of a base model is foretold to do to a label on a question set",
    (
        *(ID, *SETTING[:3], QUESTION_SET, BEHAVIOUR, MARK),
        Column("forecast", "text", "which, of those of `forecast`; `base`: the base model's"),
        Column("beta", "number", "coefficient of the KL penalty; empty where there is none"),
        Column("measure", "text", "`winner`: the label wins; `share`: of the label after RL"),
        *(LABEL, *MEASURED),
    ),
)
DYNAMICS = Table(
    "behaviour_dynamics",
    "the share of a label that a mean field foretells at a checkpoint",
    (
        *(ID, *SETTING, START, QUESTION_SET, BEHAVIOUR, MARK),
        *(*FIELD[:2], STEP, SAMPLED, LABEL, *MEASURED),
    ),
    notes=(
        "From the base model's samples on the same held-out questions, at the pace that was fitted on the formats of "
        "the rollouts (`outcomes`): nothing is fitted on behaviours."
    ),
)
OF_MODELS = {table.name: table for table in (FORECAST,)}
OF_RUNS = {table.name: table for table in (SHARES, GAINS, THEORY, PICKS)}
OF_EVALUATIONS = OF_MODELS | OF_RUNS
"""What one evaluation adds."""
TABLES = OF_RUNS | {DYNAMICS.name: DYNAMICS}
"""Of a study."""
