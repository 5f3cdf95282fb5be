"""Stages between pretraining and RL: further training of a model that the grid trained."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field, PositiveFloat

from echochamber.schema import Name, Seed, Settings, Share
from echochamber.settings.training import Pretraining


class Stage(Settings):
    """One pass over a mixture, from the last weights of the stage before; whatever is not said is as in `pretraining`.

    Midtraining is a stage with the loss on all tokens, supervised fine-tuning one with the loss on solutions alone.
    """

    mixture: Name
    loss: Literal["all", "solution"] = "all"
    """`solution`: only what follows the first empty line of a document gives a loss; the question before it does
    not."""
    learning_rate: PositiveFloat
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    final_learning_rate: Share = 0.1
    """Where the cosine ends, as a fraction of the peak."""
    seed: Seed = 0
    """Of the order of documents, beside the seed of the model."""

    def training(self, pretraining: Pretraining) -> Pretraining:
        """The settings of its training."""
        own = {name: getattr(self, name) for name in ("learning_rate", "warmup_steps", "final_learning_rate")}
        return pretraining.model_copy(update=own | {"checkpoints": ()})


def impossible(stages: Mapping[str, Stage], pretraining: Pretraining) -> Iterator[str]:
    """What cannot be trained, a line each."""
    for name, stage in stages.items():
        if re.fullmatch(r"step[0-9]+|pretrain|rl", name):
            yield f"stages: found {name!r}, allowed: other names than pretrain, rl, and step with a number"
        if stage.loss == "solution" and pretraining.packing != "document":
            yield f"stages.{name}.loss: found solution, allowed with pretraining.packing document alone"


def misplaced(
    where: str, chain: Sequence[str], mixtures: Sequence[str], models: Sequence[str], step: int | None
) -> str:
    """What is wrong with the chain of a study, or nothing."""
    if chain and (models or not mixtures):
        return f"{where}.stages: found {list(chain)} with imported models, allowed: with mixtures alone"
    if chain and step is not None:
        return f"{where}.from_step: found {step} with stages, allowed: one of them"
    return ""
