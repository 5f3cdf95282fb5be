"""Settings of the machine that a grid is planned for. They change no result, so they are in no job's spec."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, PositiveFloat, PositiveInt

from echochamber.hardware import DEVICES
from echochamber.schema import OneOf, Settings


class Hardware(Settings):
    """What `snakemake plan` reckons with, and what jobs ask a cluster for."""

    device: Annotated[str, OneOf(tuple(DEVICES))] = "H100"
    """What each job runs on: one of these GPUs (several for a scale that says so), or one core of a CPU."""
    mfu: Annotated[float, Field(gt=0, le=1)] | None = None
    """Model FLOPs utilisation: the share of the device's peak that pretraining uses; none: as measured
    (`echochamber/hardware.py`), 0.46 on a GPU, 0.35 on a CPU."""
    rl_mfu: Annotated[float, Field(gt=0, le=1)] | None = None
    """The same of RL's log-probabilities and updates; none: 0.34 on a GPU, 0.35 on a CPU."""
    bandwidth_used: Annotated[float, Field(gt=0, le=1)] | None = None
    """The share of the memory's bandwidth that sampling uses; none: 0.46 on a GPU, all on a CPU."""
    time_limit_hours: PositiveFloat | None = None
    """The longest that a job may ask a cluster for: one that takes longer saves, ends and is resubmitted."""
    shards: PositiveInt | None = None
    """Slurm's shards of one GPU (`gres.conf`): a job with a `gpu_share` asks for its part of them. None: for a whole
    GPU, since the site knows no shards."""
