"""Expert Iteration: sample, keep what is right, fine-tune, repeat (Anthony et al. 2017, arXiv 1705.08439)."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import PositiveFloat, PositiveInt, model_validator

from echochamber.algorithms.base import PostTraining, Sampling
from echochamber.algorithms.theory import Theory


class ExpertIteration(PostTraining):
    """Its trainer is `echochamber.rl.expert_iteration`: the loss is the negative log-likelihood of what was kept."""

    title: ClassVar[str] = "Expert Iteration"

    kind: Literal["expert_iteration"]
    iterations: PositiveInt = 3
    prompts_per_iteration: PositiveInt | None = None
    """Questions sampled in each iteration; none: all of them."""
    samples_per_prompt: PositiveInt = 64
    sampling: Sampling = Sampling(temperature=1.0, top_p=0.95)
    drop_duplicates: bool = True
    start: Literal["base", "online"] = "base"
    """Fine-tune from the pretrained model (the paper's) or from the newest one."""
    epochs: PositiveInt = 2
    batch: PositiveInt = 256
    reduction: Literal["token", "micro_batch_mean"] = "token"
    """Mean over the tokens of a batch, or the mean of such means over `mean_of` completions each (the released
    code's)."""
    mean_of: PositiveInt = 8
    learning_rate: PositiveFloat = 1e-4

    @model_validator(mode="after")
    def _no_tool(self) -> ExpertIteration:
        if self.sampling.tool:
            raise ValueError("sampling.tool: found python with expert_iteration, allowed: policy gradients")
        return self

    @property
    def prompts_at_once(self) -> tuple[str, int | None]:
        return "prompts_per_iteration", self.prompts_per_iteration

    @property
    def theory(self) -> Theory:
        return Theory(right_only=True, deviations=("duplicates are dropped",) if self.drop_duplicates else ())
