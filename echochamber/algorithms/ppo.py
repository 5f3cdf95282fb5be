"""PPO: proximal policy optimisation with a critic (Schulman et al. 2017, arXiv 1707.06347)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from echochamber.algorithms import advantages as adv
from echochamber.algorithms.policy_gradient import PolicyGradient
from echochamber.algorithms.theory import Theory

if TYPE_CHECKING:
    from torch import Tensor


class Ppo(PolicyGradient):
    """Advantages from a learned value of each state, whitened over the batch."""

    title: ClassVar[str] = "PPO"
    critic: ClassVar[bool] = True

    kind: Literal["ppo"]

    def advantages_and_returns(
        self, scores: Tensor, kl_rewards: Tensor, mask: Tensor, values: Tensor
    ) -> tuple[Tensor, Tensor]:
        rewards = adv.terminal_rewards(scores.flatten(), kl_rewards, mask, self.kl.level)
        advantages, returns = adv.gae(rewards, values, mask, gamma=self.gamma, lam=self.gae_lambda)
        return adv.whiten(advantages, mask), returns

    @property
    def theory(self) -> Theory:
        return Theory(deviations=("discounted",) if self.gamma < 1 else ())
