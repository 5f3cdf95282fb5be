"""From samples and logs on disk to tidy tables: one observation a row.

| table | one row |
|---|---|
| runs | a model or a run: its id and axes |
| training | a row of a metrics.csv, with id and axes |
| scores | a measure of a model or run at a checkpoint: columns `SCORES` |
| gains | final minus base on the same questions, per run, and per setting over its seeds: columns `GAINS` |
| decomposition | a part of that gain (`analysis.decomposition`): columns `PARTS_OF_GAIN` |
| coverage | questions gained and lost, change of pass@k (`analysis.coverage`): columns `COVERAGE` |
| styles | share of a variant of a style inside a format (`analysis.styles`): columns `STYLES` |
| scorers | how often both scorers, or one of them alone, call a checkpoint's completions right, by their labels |
| theory | predicted and measured share of a format on the RL prompts (`analysis.theory_tables`) |
| errors, process, error_examples | wrong answers by kind, right ones by their steps (`analysis.completion_tables`) |
| power | the smallest effects that a study can show (`analysis.power`) |
| samples | a completion before or after RL, for the report: columns `SAMPLES` |

A run's step 0 is its base model: those rows come from the base model's evaluation. Imports no torch.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from echochamber.analysis import completion_tables, power, samples, theory_tables
from echochamber.analysis.columns import AXES, ESTIMATE
from echochamber.analysis.coverage import coverage
from echochamber.analysis.decomposition import decomposition
from echochamber.analysis.disagreements import COLUMNS as DISAGREEMENTS
from echochamber.analysis.disagreements import disagreements
from echochamber.analysis.examples import SAMPLES, examples
from echochamber.analysis.replicates import by_replicate, with_seeds
from echochamber.analysis.samples import Answers
from echochamber.analysis.scores import COLUMNS, SCORERS, scores
from echochamber.analysis.styles import styles
from echochamber.analysis.thresholds import thresholds
from echochamber.files import write_aside
from echochamber.grid import Grid
from echochamber.intervals import crossed_interval, paired_interval

SCORES = ("id", *AXES, "step", "completions_sampled", "question_set", *COLUMNS)
GAINS = (
    *("id", *AXES, "base_step", "step", "question_set", "scorer", "metric", "k"),
    *("base", "final", *ESTIMATE),
)
OF_RUN = ("id", *AXES, "base_step", "step", "question_set")
PARTS_OF_GAIN = (*OF_RUN, "part", "format", *ESTIMATE)
COVERAGE = (*OF_RUN, "measure", "k", *ESTIMATE)
STYLES = (*OF_RUN, "completions_sampled", "format", "style", "variant", *ESTIMATE)
TEXTS = (
    *(
        "id",
        "model_id",
        "mixture",
        "scale",
        "algorithm",
        "prompts",
        "question_set",
        "scorer",
        "metric",
        "format",
        "stage",
    ),
    *("question_id", "question", "gold", "completion", "answer", "status", "part", "measure", "style", "variant"),
    *(*theory_tables.TEXTS, *completion_tables.TEXTS),
)
INTEGERS = ("model_seed", "run_seed", "step", "k", "n_questions", "n_samples", "n_seeds", "base_step", "sample")


def build(grid: Grid) -> dict[str, pd.DataFrame]:
    """All tables of a grid whose jobs are done: {"runs", "training", "scores", "gains", "samples"}.

    Raises FileNotFoundError or ValueError, in one line, if an evaluation that the grid names is missing or
    unreadable.
    """
    index = pd.DataFrame(grid.index()).set_index("id", drop=False)
    logs = {id: _log(grid, row) for id, row in index.iterrows()}
    cached = lru_cache(maxsize=256)(lambda id, benchmark: samples.read(_file(grid, id, benchmark)))
    cached_scores = lru_cache(maxsize=256)(
        lambda id, benchmark, step: scores(
            cached(id, benchmark).get((step, "greedy")), cached(id, benchmark).get((step, "sample"))
        )
    )
    cached_styles = lru_cache(maxsize=256)(lambda id, benchmark, step: styles(_file(grid, id, benchmark), step))
    score_rows, gain_rows, example_rows, part_rows, coverage_rows, style_rows = [], [], [], [], [], []
    scorer_rows, compared = [], []
    for (id, benchmark), job in grid.evaluations.items():
        row = index.loc[id]
        answers = cached(id, benchmark) if row["kind"] == "model" else samples.read(_file(grid, id, benchmark))
        steps = sorted({step for step, _ in answers})
        axes = {"id": id} | {axis: row[axis] for axis in AXES}
        where = {"question_set": benchmark}
        for (step, mode), drawn in answers.items():
            scorer_rows += [axes | {"step": step} | where | r for r in disagreements(mode, drawn)]
        if row["kind"] == "model":
            for step in steps:
                score_rows += [axes | {"step": step} | where | r for r in cached_scores(id, benchmark, step)]
            continue
        base = _base(row, cached(row["model_id"], benchmark), _file(grid, row["model_id"], benchmark))
        for step in (0, *steps):
            at = {"step": step, "completions_sampled": completions_sampled(logs[id], row, step)}
            measured = (
                scores(answers.get((step, "greedy")), answers.get((step, "sample")))
                if step
                else cached_scores(row["model_id"], benchmark, base)
            )
            score_rows += [axes | at | where | r for r in measured]
        before, after = cached(row["model_id"], benchmark), answers
        gain_rows += _gains(axes | {"base_step": base, "step": steps[-1]} | where, before, base, after, steps[-1])
        drawn = before.get((base, "sample")), after.get((steps[-1], "sample"))
        if all(drawn):
            here = axes | {"base_step": base, "step": steps[-1]} | where
            compared.append((dict(here), row["model_id"]))
            here |= {"n_questions": len(drawn[0].questions), "n_seeds": 1}
            here |= {"n_samples": drawn[0].correct.size + drawn[1].correct.size}
            part_rows += [here | r for r in decomposition(*drawn)]
            coverage_rows += [here | r for r in coverage(*drawn)]
        if grid.file.prompts[job.prompts].questions == grid.file.benchmarks[benchmark].questions:
            for step in (0, *steps):
                at = {"base_step": base, "step": step, "completions_sampled": completions_sampled(logs[id], row, step)}
                shown = (
                    styles(_file(grid, id, benchmark), step)
                    if step
                    else cached_styles(row["model_id"], benchmark, base)
                )
                style_rows += [axes | at | where | {"n_seeds": 1} | r for r in shown]
        example_rows += examples(grid, row, benchmark, base, steps[-1], before, after)
    gains, style_table = pd.DataFrame(gain_rows), pd.DataFrame(style_rows, columns=list(STYLES))
    more = theory_tables.build(grid, index, logs, style_table) | completion_tables.build(grid, compared)
    gains = pd.concat([gains, _over_seeds(gains)]).reindex(columns=list(GAINS)) if gain_rows else _empty()
    more["power"] = power.table(grid, gains, thresholds())
    return {
        "runs": _typed(index.reset_index(drop=True)),
        "training": _training(index, logs),
        "scores": _typed(pd.DataFrame(score_rows, columns=list(SCORES))),
        "gains": _typed(gains),
        "decomposition": _typed(with_seeds(part_rows, PARTS_OF_GAIN, ["part", "format"])),
        "coverage": _typed(with_seeds(coverage_rows, COVERAGE, ["measure", "k"])),
        "styles": _typed(style_table),
        "scorers": _typed(
            pd.DataFrame(scorer_rows, columns=["id", *AXES, "step", "question_set", *DISAGREEMENTS, *ESTIMATE])
        ),
        "samples": _typed(pd.DataFrame(example_rows, columns=list(SAMPLES))),
    } | {name: _typed(table) for name, table in more.items()}


def write(tables: dict[str, pd.DataFrame], folder: Path) -> None:
    """Each table as folder/<name>.csv, with every digit."""
    for name, table in tables.items():
        write_aside(folder / f"{name}.csv", lambda aside, table=table: table.to_csv(aside, index=False))


def read(folder: Path) -> dict[str, pd.DataFrame]:
    """The tables of a folder, typed as `build` gives them; an empty field is a missing value, a name never is."""
    found = {}
    for path in sorted(folder.glob("*.csv")):
        kinds = dict.fromkeys(TEXTS, "str")
        found[path.stem] = _typed(
            pd.read_csv(path, dtype=kinds, keep_default_na=False, na_values=[""], low_memory=False)
        )
    return found


def completions_sampled(log: pd.DataFrame, row: pd.Series, step: int) -> float:
    """Completions that RL had sampled before checkpoint `step`: after that many rollout batches or iterations."""
    if step == 0:
        return 0.0
    if pd.notna(row["samples_per_step"]):
        return float(step * row["samples_per_step"])
    if "completions_sampled" not in log or len(log) < step:
        return float("nan")
    return float(log.sort_values("step")["completions_sampled"].iloc[step - 1])


def _file(grid: Grid, id: str, benchmark: str) -> Path:
    path = grid.paths.samples(id, benchmark)
    if not path.exists():
        raise FileNotFoundError(f"{path}: found nothing, allowed: the samples of {id} on {benchmark}")
    return path


def _log(grid: Grid, row: pd.Series) -> pd.DataFrame:
    path = grid.paths.root / ("models" if row["kind"] == "model" else "runs") / row["id"] / "metrics.csv"
    return pd.read_csv(path) if path.exists() else pd.DataFrame()  # an imported model was not trained here


def _base(row: pd.Series, answers: dict[tuple[int, str], Answers], path: Path) -> int:
    """The pretraining step that a run started from."""
    steps = sorted({step for step, _ in answers})
    if pd.isna(row["base_step"]):
        return steps[-1]
    if int(row["base_step"]) not in steps:
        raise ValueError(
            f"{path}: found steps {steps}, allowed: one of them {int(row['base_step'])}, where {row['id']} starts"
        )
    return int(row["base_step"])


def _training(index: pd.DataFrame, logs: dict[str, pd.DataFrame]) -> pd.DataFrame:
    parts = []
    for id, log in logs.items():
        if not log.empty:
            axes = pd.DataFrame([{"id": id} | {axis: index.loc[id, axis] for axis in AXES}] * len(log), index=log.index)
            parts.append(pd.concat([axes.dropna(axis=1, how="all"), log], axis=1))
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame({"id": [], "step": []})
    first = ["id", *AXES]
    return _typed(table.reindex(columns=[*first, *(c for c in table.columns if c not in first)]))


def _gains(axes: dict, before: dict, base: int, after: dict, final: int) -> list[dict]:
    rows = []
    for scorer in SCORERS:
        for metric, mode, k in (("greedy_accuracy", "greedy", None), ("pass_at_k", "sample", 1)):
            old, new = before.get((base, mode)), after.get((final, mode))
            if old is None or new is None:
                continue
            if not np.array_equal(old.questions, new.questions):
                raise ValueError(f"{axes['id']} on {axes['question_set']}: base and run answered different questions")
            a, b = old.of(scorer)[0].mean(1), new.of(scorer)[0].mean(1)
            gain, low, high = paired_interval(a, b)
            rows.append(
                axes
                | {"scorer": scorer, "metric": metric, "k": k, "base": a.mean(), "final": b.mean()}
                | {"estimate": gain, "low": low, "high": high, "n_questions": len(a)}
                | {"n_samples": old.correct.size + new.correct.size, "n_seeds": 1, "difference": b - a}
            )
    return rows


def _over_seeds(gains: pd.DataFrame) -> pd.DataFrame:
    """One row for each setting with more than one replicate, its interval over seeds and questions."""
    rows = []
    if gains.empty:
        return gains
    group = ["mixture", "scale", "algorithm", "prompts", "base_step", "step", "question_set", "scorer", "metric", "k"]
    for key, part in gains.groupby(group, dropna=False, sort=False):
        differences = by_replicate(part, "difference")
        if len(differences) > 1:
            gain, low, high = crossed_interval(np.stack(list(differences)))
            rows.append(
                dict(zip(group, key, strict=True))
                | {"base": by_replicate(part, "base").mean(), "final": by_replicate(part, "final").mean()}
                | {"estimate": gain, "low": low, "high": high, "n_questions": part["n_questions"].iloc[0]}
                | {"n_samples": part["n_samples"].sum(), "n_seeds": len(differences)}
            )
    return pd.DataFrame(rows)


def _empty() -> pd.DataFrame:
    return pd.DataFrame(columns=list(GAINS))


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    return table.astype({name: "Int64" for name in INTEGERS if name in table})
