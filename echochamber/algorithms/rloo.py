"""RLOO: REINFORCE whose baseline leaves the completion itself out (Ahmadian et al. 2024, arXiv 2402.14740)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from echochamber.algorithms import advantages as adv
from echochamber.algorithms.policy_gradient import PolicyGradient
from echochamber.algorithms.theory import Theory

if TYPE_CHECKING:
    from torch import Tensor


class Rloo(PolicyGradient):
    """Rewards less the mean of the other samples of their group: no bias, no division."""

    title: ClassVar[str] = "RLOO"

    kind: Literal["rloo"]

    def advantages(self, scores: Tensor, kl_rewards: Tensor, mask: Tensor) -> Tensor:
        baseline = adv.leave_one_out_mean(adv.whole_returns(scores, kl_rewards, mask))
        return adv.on_tokens(scores - baseline, kl_rewards, mask, self.kl.level)

    @property
    def theory(self) -> Theory:
        group = self.samples_per_prompt
        return Theory(
            gap=lambda mean: np.full(np.shape(mean), 1.0),
            square=lambda reward, informative: reward * (1 - reward) * group / (group - 1),
        )
