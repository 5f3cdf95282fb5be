"""GRPO: group relative policy optimisation (Shao et al. 2024, arXiv 2402.03300, section 4.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from echochamber.algorithms import advantages as adv
from echochamber.algorithms.policy_gradient import PolicyGradient
from echochamber.algorithms.theory import Theory, normalised

if TYPE_CHECKING:
    from torch import Tensor


class Grpo(PolicyGradient):
    """Rewards less the mean of their group, over its standard deviation; no critic."""

    title: ClassVar[str] = "GRPO"

    kind: Literal["grpo"]

    def advantages(self, scores: Tensor, kl_rewards: Tensor, mask: Tensor) -> Tensor:
        return adv.normalised_by_group(scores, kl_rewards, mask, epsilon=self.advantage_epsilon)

    @property
    def theory(self) -> Theory:
        return normalised(self.samples_per_prompt)
