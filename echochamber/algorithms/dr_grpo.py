"""Dr. GRPO: GRPO without its two divisions, by the deviation and by the length (Liu et al. 2025, arXiv 2503.20783)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import model_validator

from echochamber.algorithms import advantages as adv
from echochamber.algorithms.policy_gradient import PolicyGradient
from echochamber.algorithms.theory import Theory, centred

if TYPE_CHECKING:
    from torch import Tensor


class DrGrpo(PolicyGradient):
    """Rewards less the mean of their group; token losses over the constant max_new_tokens."""

    title: ClassVar[str] = "Dr. GRPO"

    kind: Literal["dr_grpo"]

    @model_validator(mode="before")
    @classmethod
    def _divides_by_a_constant(cls, settings: Any) -> Any:
        """Set, and no default of the field: the specs of finished jobs name it."""
        return {"reduction": "constant"} | settings if isinstance(settings, dict) else settings

    def advantages(self, scores: Tensor, kl_rewards: Tensor, mask: Tensor) -> Tensor:
        baseline = adv.group_mean(adv.whole_returns(scores, kl_rewards, mask))
        return adv.on_tokens(scores - baseline, kl_rewards, mask, self.kl.level)

    @property
    def theory(self) -> Theory:
        return centred(self.samples_per_prompt)
