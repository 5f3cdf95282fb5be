"""CISPO: clipped importance sampling policy optimisation (MiniMax 2025, arXiv 2506.13585, section 3.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import PositiveFloat

from echochamber.algorithms import advantages as adv
from echochamber.algorithms.policy_gradient import PolicyGradient
from echochamber.algorithms.theory import Theory, normalised

if TYPE_CHECKING:
    from torch import Tensor


class Cispo(PolicyGradient):
    """REINFORCE with GRPO's advantages, each token weighted by its ratio, which is clipped above and has no gradient.

    No token ever falls out of the gradient, as in PPO's clip: it only weighs no more than 1 + clip_high (equation 4).
    There is no bound below, as in the paper's experiments; `clip` is not used.
    """

    title: ClassVar[str] = "CISPO"

    kind: Literal["cispo"]
    clip_high: PositiveFloat = 4.0
    """How far above 1 the weight of a token may be."""

    @property
    def clip_range(self) -> tuple[float, float]:
        return 1.0, self.clip_high

    def policy_loss(self, logprobs: Tensor, log_ratio: Tensor, advantages: Tensor, mask: Tensor) -> Tensor:
        weights = self.ratio(log_ratio, mask).detach().clamp(max=1 + self.clip_high)
        return -weights * advantages * logprobs

    def advantages(self, scores: Tensor, kl_rewards: Tensor, mask: Tensor) -> Tensor:
        return adv.normalised_by_group(scores, kl_rewards, mask, epsilon=self.advantage_epsilon)

    @property
    def theory(self) -> Theory:
        return normalised(self.samples_per_prompt)
