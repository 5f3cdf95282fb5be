"""REINFORCE with the mean of the group as its baseline, whitened over the batch (as OpenRLHF does)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from echochamber.algorithms import advantages as adv
from echochamber.algorithms.policy_gradient import PolicyGradient
from echochamber.algorithms.theory import Theory

if TYPE_CHECKING:
    from torch import Tensor


class ReinforceBaseline(PolicyGradient):
    """Rewards less the mean of their group; normalised over all tokens of the batch after the KL rewards came in."""

    title: ClassVar[str] = "reinforce_baseline"

    kind: Literal["reinforce_baseline"]

    def advantages(self, scores: Tensor, kl_rewards: Tensor, mask: Tensor) -> Tensor:
        centred = scores - adv.group_mean(scores)
        return adv.whiten(adv.on_tokens(centred, kl_rewards, mask, self.kl.level), mask)

    @property
    def theory(self) -> Theory:
        return Theory()
