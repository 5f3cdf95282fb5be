"""Low-rank adapters (Hu et al. 2021, arXiv 2106.09685): what of the weights is trained."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from echochamber.schema import Settings


class LoRA(Settings):
    """Train W + alpha / rank * B A instead of W: matrices of so low a rank, and nothing else."""

    rank: PositiveInt = 16
    alpha: PositiveFloat = 32.0
    targets: Literal["all-linear"] | Annotated[tuple[str, ...], Field(min_length=1)] = "all-linear"
    """Names of linear layers as the architecture has them (`[q_proj, v_proj]`), or all of them but the output."""
