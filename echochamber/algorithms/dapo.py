"""DAPO: decoupled clip and dynamic sampling policy optimisation (Yu et al. 2025, arXiv 2503.14476)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import PositiveFloat, PositiveInt

from echochamber.algorithms import advantages as adv
from echochamber.algorithms.policy_gradient import PolicyGradient

if TYPE_CHECKING:
    from torch import Tensor


class Dapo(PolicyGradient):
    """GRPO with more room above than below (clip-higher) and whole batches of groups that differ (dynamic sampling).

    Token losses have equal weight (`reduction: token`) and there is no KL penalty, both as in the paper and both the
    defaults of all algorithms here. Its overlong reward shaping is `truncated: penalise`, and not the default; which
    groups differ is asked before the penalty, as in its equation 11. There is no theory of it: which questions it
    learns from changes with the policy.
    """

    title: ClassVar[str] = "DAPO"

    kind: Literal["dapo"]
    clip_high: PositiveFloat = 0.28
    """How far above 1 the ratio counts; `clip` is how far below."""
    sampling_batches: PositiveInt = 10
    """The most batches of prompts that a step samples until `prompts_per_batch` groups have rewards that differ; 1: no
    dynamic sampling. A batch that is still short is filled with groups that teach nothing."""

    @property
    def clip_range(self) -> tuple[float, float]:
        return self.clip, self.clip_high

    @property
    def planned_batches(self) -> int:
        """Three, as many as the paper's recipe samples at once."""
        return min(3, self.sampling_batches)

    @property
    def same_each_step(self) -> bool:
        return self.sampling_batches == 1

    def groups(self, scores: Tensor, batches: int) -> list[int] | None:
        """The first groups whose rewards differ, filled up with others once no more may be sampled."""
        differ = (scores != scores[:, :1]).any(1).tolist()
        if sum(differ) < self.prompts_per_batch and batches < self.sampling_batches:
            return None
        informative_first = sorted(range(len(differ)), key=lambda group: not differ[group])
        return sorted(informative_first[: self.prompts_per_batch])

    def advantages(self, scores: Tensor, kl_rewards: Tensor, mask: Tensor) -> Tensor:
        return adv.normalised_by_group(scores, kl_rewards, mask, epsilon=self.advantage_epsilon)
