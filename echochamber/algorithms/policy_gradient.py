"""What PPO, GRPO and their relatives share: one trainer (`echochamber.rl.policy_gradient`), whose steps they fill in.

An algorithm says what its rewards are worth (`advantages`, or `advantages_and_returns` with a critic) and, where it is
not PPO's, how far the policy may move on a batch (`ratio`, `clip_range`, `policy_loss`) and which groups it learns
from (`groups`). Its methods see tensors and use their methods alone: whoever reads a grid file imports no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from echochamber.algorithms import losses
from echochamber.algorithms.base import KL, PostTraining, Sampling
from echochamber.schema import Share

if TYPE_CHECKING:
    from torch import Tensor


class PolicyGradient(PostTraining):
    """The settings of the trainer. Those of the critic stand here too: grids of several kinds share them by anchors."""

    critic: ClassVar[bool] = False
    """Whether a second network learns the value of each state."""

    kind: str
    passes: PositiveFloat = 10
    """Passes over the prompts ("episodes" in the paper)."""
    prompts_per_batch: PositiveInt = 64
    samples_per_prompt: PositiveInt = 8
    sampling: Sampling = Sampling()
    update_batch: PositiveInt = 64
    """Sequences in one optimiser step."""
    update_passes: PositiveInt = 1
    """Passes over a rollout batch."""
    learning_rate: PositiveFloat = 1e-6
    critic_learning_rate: PositiveFloat = 7e-6
    """PPO only."""
    kl: KL = KL()
    gamma: Share = 1.0
    gae_lambda: Share = 0.95
    clip: PositiveFloat = 0.2
    value_clip: PositiveFloat = 0.2
    value_coefficient: NonNegativeFloat = 0.5
    advantage_epsilon: PositiveFloat = 1e-9
    reduction: Literal["token", "micro_batch_mean", "sequence", "constant"] = "token"
    """Mean over the tokens of the update batch; the mean of such means over `mean_of` completions each, drawn at
    random, where tokens beside short ones count for more (the released code's, whose micro-batches are these); mean
    over sequences; or by the constant max_new_tokens (the default of dr_grpo)."""
    mean_of: PositiveInt = 8
    """With `micro_batch_mean`: completions of one mean, whatever `micro_batch` is."""
    log_spaced_checkpoints: Annotated[int, Field(ge=0)] = 15
    checkpoint_every_pass: bool = True

    @model_validator(mode="after")
    def _batches_fit(self) -> PolicyGradient:
        if not self.critic and self.samples_per_prompt < 2:
            raise ValueError(
                f"samples_per_prompt: found 1, allowed for {self.kind}: at least 2 (the group is the baseline)"
            )
        if self.critic and self.lora:
            raise ValueError(f"lora: found it with {self.kind}, allowed: with algorithms without a critic")
        if self.critic and self.sampling.tool:
            raise ValueError(f"sampling.tool: found python with {self.kind}, allowed: algorithms without a critic")
        rollout = self.prompts_per_batch * self.samples_per_prompt
        if rollout % self.update_batch:
            raise ValueError(
                f"update_batch: found {self.update_batch}, "
                f"allowed: a divisor of the {rollout} sequences of a rollout batch"
            )
        if self.reduction == "micro_batch_mean" and self.update_batch % self.mean_of:
            raise ValueError(f"mean_of: found {self.mean_of}, allowed: a divisor of update_batch, {self.update_batch}")
        return self

    @property
    def planned_batches(self) -> int:
        """Batches of prompts that a step is planned to sample."""
        return 1

    @property
    def same_each_step(self) -> bool:
        """Whether every step samples one batch; else only metrics.csv knows how many completions there were."""
        return True

    @property
    def prompts_at_once(self) -> tuple[str, int | None]:
        return "prompts_per_batch", self.prompts_per_batch

    # --- what its rewards are worth ----------------------------------------------------------------------------------

    def groups(self, scores: Tensor, batches: int) -> list[int] | None:
        """The groups that a step learns from, `prompts_per_batch` of those sampled; None: sample another batch.

        Args:
            scores: (groups, samples), the rewards of all that the step has sampled, without the penalty of `penalise`.
            batches: how often it has sampled.
        """
        return list(range(len(scores)))

    def advantages(self, scores: Tensor, kl_rewards: Tensor, mask: Tensor) -> Tensor:
        """Of each token, (groups * samples, tokens), 0 beyond the mask.

        Args:
            scores: (groups, samples), the reward of each completion.
            kl_rewards: (groups * samples, tokens), -coefficient * k1 of each token, or zeros.
        """
        raise NotImplementedError

    def advantages_and_returns(
        self, scores: Tensor, kl_rewards: Tensor, mask: Tensor, values: Tensor
    ) -> tuple[Tensor, Tensor]:
        """With a critic: the same, and what the critic is fitted to, (groups * samples, tokens) each.

        Args:
            values: (groups * samples, tokens), the critic's, before each token.
        """
        raise NotImplementedError

    # --- how far the policy moves on a batch -------------------------------------------------------------------------

    @property
    def clip_range(self) -> tuple[float, float]:
        """How far below and above 1 a ratio counts."""
        return self.clip, self.clip

    def ratio(self, log_ratio: Tensor, mask: Tensor) -> Tensor:
        """What the clip looks at, (batch, tokens): the probability of each token now over that when it was sampled.

        Args:
            log_ratio: log-probability now minus when sampled, 0 beyond the mask.
        """
        return log_ratio.exp()

    def policy_loss(self, logprobs: Tensor, log_ratio: Tensor, advantages: Tensor, mask: Tensor) -> Tensor:
        """Whose gradient the policy follows, (batch, tokens), without the KL penalty."""
        low, high = self.clip_range
        return losses.clipped_policy_loss(self.ratio(log_ratio, mask), advantages, low=low, high=high)

    def clipped(self, log_ratio: Tensor, mask: Tensor) -> Tensor:
        """Whether the ratio is outside of the clip, (batch, tokens), bool."""
        low, high = self.clip_range
        moved = self.ratio(log_ratio, mask) - 1
        return ((moved < -low) | (moved > high)) & mask
