"""Settings of RL post-training and Expert Iteration."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, field_validator, model_validator

from echochamber.settings.base import Settings, Share

FORMATS = ("tinygsm", "omi1", "omi2", "text", "other")
"""The labels of `echochamber.verify.formats`: a partition of all completions."""


class KL(Settings):
    """The penalty for leaving the reference policy (the model that the run starts from)."""

    place: Literal["none", "reward", "loss"] = "none"
    estimator: Literal["k1", "k2", "k3"] = "k1"
    level: Literal["token", "sequence"] = "token"
    """`token`: each token on its own, as PPO and GRPO code does. `sequence`: of whole completions. With place reward,
    grpo takes whole completions in both cases, since it divides by the std of whole returns."""
    coefficient: NonNegativeFloat = 0.0

    @model_validator(mode="after")
    def _means_something(self) -> KL:
        if self.place == "loss" and self.estimator == "k1":
            raise ValueError(
                "estimator: found k1 with place loss, allowed: k2, k3 (the gradient of k1 is zero in expectation)"
            )
        if self.place == "reward" and self.estimator != "k1":
            raise ValueError(f"estimator: found {self.estimator} with place reward, allowed: k1")
        if (self.place == "none") != (self.coefficient == 0):
            raise ValueError(
                f"coefficient: found {self.coefficient} with place {self.place}, "
                "allowed: 0 with none, more than 0 otherwise"
            )
        return self


class Sampling(Settings):
    """How completions are drawn during RL."""

    temperature: PositiveFloat = 0.7
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    max_new_tokens: PositiveInt = 1024


class PostTraining(Settings):
    """What policy gradients and Expert Iteration share: the optimiser, the reward, and how a pass is made."""

    micro_batch: PositiveInt = 64
    """Sequences in one forward and backward pass: bounds memory, changes no result but for rounding."""
    warmup: Share = 0.03
    """Fraction of the updates."""
    final_learning_rate: Share = 0.1
    """Where the cosine ends, as a fraction of the peak."""
    betas: tuple[Share, Share] = (0.9, 0.95)
    epsilon: PositiveFloat = 1e-8
    weight_decay: NonNegativeFloat = 0.0
    gradient_clip: PositiveFloat = 1.0
    reward: str = "correct"
    """`correct`, or a control: `random`, `format:F` (format F earns 1, right or not)."""
    precision: Literal["fp32", "bf16"] = "bf16"
    gradient_checkpointing: bool = False
    """Make activations again in the backward pass: less memory, a third more computation."""

    @field_validator("reward")
    @classmethod
    def _known_reward(cls, value: str) -> str:
        allowed = ("correct", "random", *(f"format:{name}" for name in FORMATS))
        if value not in allowed:
            raise ValueError(f"found {value!r}, allowed: {', '.join(allowed)}")
        return value


class PolicyGradient(PostTraining):
    """PPO, GRPO and their relatives: one trainer, told apart by advantages, critic and reduction."""

    kind: Literal["ppo", "grpo", "reinforce_baseline", "rloo", "dr_grpo"]
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
    reduction: Literal["token", "sequence", "constant"] = "token"
    """Mean over the tokens of the update batch (the paper's), over sequences, or by the constant max_new_tokens
    (the default of dr_grpo)."""
    log_spaced_checkpoints: Annotated[int, Field(ge=0)] = 15
    checkpoint_every_pass: bool = True

    @model_validator(mode="before")
    @classmethod
    def _dr_grpo_divides_by_a_constant(cls, found: Any) -> Any:
        if isinstance(found, dict) and found.get("kind") == "dr_grpo":
            return {"reduction": "constant"} | found
        return found

    @model_validator(mode="after")
    def _batches_fit(self) -> PolicyGradient:
        if self.kind != "ppo" and self.samples_per_prompt < 2:
            raise ValueError(
                f"samples_per_prompt: found 1, allowed for {self.kind}: at least 2 (the group is the baseline)"
            )
        rollout = self.prompts_per_batch * self.samples_per_prompt
        if rollout % self.update_batch:
            raise ValueError(
                f"update_batch: found {self.update_batch}, "
                f"allowed: a divisor of the {rollout} sequences of a rollout batch"
            )
        return self


class ExpertIteration(PostTraining):
    """Sample, keep what is right, fine-tune, repeat."""

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
    learning_rate: PositiveFloat = 1e-4


Algorithm = Annotated[PolicyGradient | ExpertIteration, Field(discriminator="kind")]
