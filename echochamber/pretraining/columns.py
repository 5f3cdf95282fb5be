"""metrics.csv and timings.csv of a pretraining. Imports no torch."""

from __future__ import annotations

from echochamber.stats.columns import Column, Table

METRICS = Table(
    "metrics.csv of a model",
    "an interval of updates",
    (
        Column("step", "count", "the last update of the interval, from 1"),
        Column("tokens", "count", "trained on so far, without padding", "tokens"),
        Column("loss", "number", "mean over the updates of the interval", "nats per token"),
        Column("learning_rate", "number", "of the last update"),
        Column("gradient_norm", "number", "of the last update, before clipping"),
    ),
    "`loss_<source>` follow: loss on the held-out documents of a source, in nats per token; empty where not due.",
    extends=True,
)
TIMINGS = Table(
    "timings.csv of a model",
    "an interval of updates; no result depends on it",
    (
        Column("step", "count", "as in metrics.csv"),
        Column("seconds_update", "number", "of the interval", "s"),
        Column("tokens_per_second", "number", "of all processes together", "tokens/s"),
        Column("mfu", "number", "model FLOPs utilisation; empty where the device's peak is unknown"),
        Column("peak_bytes", "number", "of the GPU's memory; without one, of the process's", "bytes"),
    ),
)
