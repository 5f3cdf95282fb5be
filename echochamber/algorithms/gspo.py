"""GSPO: group sequence policy optimisation (Zheng et al. 2025, arXiv 2507.18071)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import PositiveFloat

from echochamber.algorithms import advantages as adv
from echochamber.algorithms.policy_gradient import PolicyGradient
from echochamber.algorithms.theory import Theory, normalised

if TYPE_CHECKING:
    from torch import Tensor


class Gspo(PolicyGradient):
    """GRPO whose ratio is that of the whole completion, by length: s = (p / p_old)^(1 / tokens), equation 7.

    Every token of a completion has the ratio s, so that a completion counts, or is clipped, as a whole. The mean over
    completions of the mean over their tokens is then equation 5. The clip is the paper's: s moves far less than the
    ratio of a token does.
    """

    title: ClassVar[str] = "GSPO"

    kind: Literal["gspo"]
    clip: PositiveFloat = 3e-4
    clip_high: PositiveFloat = 4e-4
    """How far above 1 the ratio counts; `clip` is how far below."""
    reduction: Literal["token", "sequence", "constant"] = "sequence"

    @property
    def clip_range(self) -> tuple[float, float]:
        return self.clip, self.clip_high

    def ratio(self, log_ratio: Tensor, mask: Tensor) -> Tensor:
        return (log_ratio.sum(1, keepdim=True) / mask.sum(1, keepdim=True)).exp().expand_as(log_ratio)

    def advantages(self, scores: Tensor, kl_rewards: Tensor, mask: Tensor) -> Tensor:
        return adv.normalised_by_group(scores, kl_rewards, mask, epsilon=self.advantage_epsilon)

    @property
    def theory(self) -> Theory:
        return normalised(self.samples_per_prompt)
