"""What all algorithms share: the optimiser, sampling, the KL penalty, the reward, and what each says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from echochamber.algorithms.lora import LoRA
from echochamber.algorithms.rewards import Reward, parts
from echochamber.algorithms.theory import Theory
from echochamber.formats import DEFAULT_RULE, RULES, RuleName, Truncated
from echochamber.schema import GpuShare, Precision, RandomNumbers, Settings, Share


class KL(Settings):
    """The penalty for leaving the reference policy (the model that the run starts from)."""

    place: Literal["none", "reward", "loss"] = "none"
    estimator: Literal["k1", "k2", "k3"] = "k1"
    level: Literal["token", "sequence"] = "token"
    """`token`: each token on its own, as PPO and GRPO code does. `sequence`: of whole completions. With place reward,
    grpo takes whole completions in both cases, since it divides by the std of whole returns."""
    coefficient: NonNegativeFloat = 0.0
    logged_on: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of a rollout batch's completions, drawn anew in each, from which the KL of metrics.csv is: with less than 1
    the reference reads only those. With place none alone."""

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
        if self.logged_on < 1 and self.place != "none":
            raise ValueError(
                f"logged_on: found {self.logged_on:g} with place {self.place}, "
                "allowed: 1, since the penalty needs every completion"
            )
        return self


class Sampling(Settings):
    """How completions are drawn during RL."""

    temperature: PositiveFloat = 0.7
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    max_new_tokens: PositiveInt = 1024
    tool: Literal["python"] | None = None
    """`python`: a closed `<llm-code>` block is run in the sandbox, and its output inserted (docs/sampling.md); a policy
    gradient without a critic alone. On a GPU decoding is slower with it: its steps are not recorded."""


class PostTraining(Settings):
    """What policy gradients and Expert Iteration share: the optimiser, the reward, and how a pass is made."""

    title: ClassVar[str]
    """What the report calls it."""
    if TYPE_CHECKING:
        sampling: Sampling

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
    reward: Reward = DEFAULT_RULE
    """1 for a right answer by a rule, `executed`, `written` or `authors` (docs/verifier.md), or a control: `random`,
    `format:F` (format F earns 1, right or not), `boxed`, `majority-vote`, `wrong-label`; or a mapping with `kind`:
    `exact`, `choice`, `regex`, `length`, `function`, `mixture` (docs/rewards.md)."""
    truncated: Truncated | Literal["mask", "penalise"] = "wrong"
    """What a completion without an end token earns by `executed` and `written`: nothing (`wrong`), or what its text
    earns (`judged`); `authors` judges it as the released code does, like any other. `mask`: as `wrong`, and the policy
    does not learn from it (it counts in the mean of its group). `penalise`: as `wrong`, less the penalty of DAPO for
    overlong completions, which grows from 0 to 1 over the last `overlong_tokens` before max_new_tokens."""
    overlong_tokens: PositiveInt | None = None
    """With `truncated: penalise`; none: a fifth of max_new_tokens, as DAPO has (4,096 of 20,480)."""
    precision: Precision = "bf16"
    random_numbers: RandomNumbers = "independent"
    """`common`: runs with equal pretraining and run seeds draw the same numbers, whatever their mixtures, scales,
    prompts and algorithms: for paired comparisons. Runs that differ in a seed, the replicates, never share any."""
    gradient_checkpointing: bool = False
    """Make activations again in the backward pass: less memory, a third more computation."""
    lora: LoRA | None = None
    """Train low-rank adapters alone, which kept checkpoints hold merged (the extra `lora`); none: all weights."""
    gpu_share: GpuShare | None = None
    """Of one GPU, and of its memory: what a run takes of it; none: what the scale of its model says. No part of the
    spec: a change of it runs nothing again."""

    @model_validator(mode="after")
    def _overlong_fits(self) -> PostTraining:
        if self.truncated == "penalise" and "overlong" in parts(self.reward):
            raise ValueError(
                "reward: found a part 'overlong' with truncated: penalise, whose penalty has that name, "
                "allowed: other names"
            )
        if self.overlong_tokens is None:
            return self
        if self.truncated != "penalise":
            raise ValueError(
                f"overlong_tokens: found {self.overlong_tokens} with truncated: {self.truncated}, "
                "allowed: with truncated: penalise"
            )
        most = self.sampling.max_new_tokens
        if self.overlong_tokens > most:
            raise ValueError(f"overlong_tokens: found {self.overlong_tokens}, allowed: up to max_new_tokens, {most}")
        return self

    @property
    def verdict_truncated(self) -> Truncated:
        """How the verifier takes completions without an end token."""
        return "judged" if self.truncated == "judged" else "wrong"

    @property
    def overlong(self) -> int | None:
        """Tokens before max_new_tokens over which the penalty grows; None: there is none."""
        if self.truncated != "penalise":
            return None
        return self.overlong_tokens or max(1, self.sampling.max_new_tokens // 5)

    @property
    def rule(self) -> RuleName | None:
        """The rule by which an answer is right; None for a reward that does not ask."""
        return next((rule for rule in RULES if rule == self.reward), None)

    @property
    def prompts_at_once(self) -> tuple[str, int | None]:
        """Name and value of the setting that says how many prompts a step samples; None: all of them."""
        raise NotImplementedError

    @property
    def theory(self) -> Theory | None:
        """What theory supposes of it; None: there is none, and tables say "no prediction"."""
        return None
