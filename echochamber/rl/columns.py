"""metrics.csv and timings.csv of a run. Imports no torch."""

from __future__ import annotations

from echochamber.formats import FORMATS
from echochamber.rl import audit, mismatch
from echochamber.stats.columns import Column, Table

SAMPLED = (
    Column("completions_sampled", "count", "completions so far, with those of this step"),
    Column("learning_rate", "number", "of the last update"),
    Column("reward_mean", "number", "of a completion"),
    *(
        column
        for name in FORMATS
        for column in (
            Column(f"share_{name}", "number", f"of the completions in format {name}"),
            Column(f"accuracy_{name}", "number", f"of those in format {name}; empty: there are none"),
        )
    ),
    Column("share_truncated", "number", "completions without an end token"),
    Column("share_informative_groups", "number", "prompts whose completions earned different rewards"),
    Column("kl", "number", "k1 of policy and base model, mean over completions", "nats per completion"),
    Column("entropy", "number", "of the sampling distributions, mean over tokens that were drawn", "nats per token"),
    Column("approx_kl", "number", "of the policy before and after the updates, k3, mean over tokens", "nats per token"),
    Column("clip_fraction", "number", "tokens whose ratio was clipped"),
    Column("explained_variance", "number", "of the returns, by the critic; empty without one"),
    Column("completion_tokens_mean", "number", "length of a completion", "tokens"),
    Column("gradient_norm", "number", "before clipping, mean over the updates"),
    *mismatch.DECLARED,
    Column("verifier_errors", "count", "completions in which the verifier itself failed"),
    Column("verifier_timeouts", "count", "completions whose program ran out of time"),
    *audit.DECLARED[:-1],
)
"""Of a step: all but its number and the warning, which depends on the rows before."""
PART = "part_"
"""Of the columns that a reward of several parts adds."""
METRICS = Table(
    "metrics.csv of a run",
    "a rollout batch, or an iteration, about the policy that sampled it",
    (Column("step", "count", "rollout batch or iteration, from 1"), *SAMPLED, audit.DECLARED[-1]),
    "Of a reward that is a mixture, `part_<name>` follows for each part: its mean, before its weight; "
    "`part_overlong`: the penalty of `truncated: penalise`.",
    extends=True,
)
TIMINGS = Table(
    "timings.csv of a run",
    "a rollout batch, or an iteration; no result depends on it",
    (
        Column("step", "count", "as in metrics.csv"),
        Column("seconds_generate", "number", "of sampling", "s"),
        Column("seconds_verify", "number", "of the verifier", "s"),
        Column("seconds_update", "number", "of everything else", "s"),
        Column("tokens_per_second", "number", "sampled, over the whole step", "tokens/s"),
        Column("mfu", "number", "empty: not measured in RL"),
        Column("peak_bytes", "number", "of the GPU's memory; without one, of the process's", "bytes"),
    ),
)


def metrics_row(**values: float | None) -> dict[str, float | None]:
    """The values of a step in the order of the columns `SAMPLED`, and those of the parts of its reward.

    Raises:
        KeyError: one is missing.
    """
    parts = {name: value for name, value in values.items() if name.startswith(PART)}
    return {column.name: values[column.name] for column in SAMPLED} | parts
