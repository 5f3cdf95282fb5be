"""Prompts to completions, verdicts and rewards."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor

from echochamber.algorithms.rewards import Reward
from echochamber.errors import UserError
from echochamber.formats import FORMATS, RuleName, Truncated
from echochamber.formats.classification import classify
from echochamber.models.forward import LanguageModel
from echochamber.rl import audit
from echochamber.rl.columns import PART
from echochamber.rl.rewards import Judged, earned, overlong_penalty, rule_of
from echochamber.sampling.draw import random_stream
from echochamber.sampling.generate import generate
from echochamber.sampling.prompts import decode, end_and_padding
from echochamber.sampling.tool import PythonTool
from echochamber.settings import Sampling
from echochamber.verify import Verdict, verify_batch


@dataclass
class Rollout:
    """Completions with their rewards; the lists have one entry a completion, those of a prompt side by side."""

    prompts: list[list[int]]
    completions: list[list[int]]
    logprobs: list[np.ndarray]
    """The sampler's, as in `echochamber.sampling.generate.Completions`."""
    entropy: list[float]
    finished: list[bool]
    inserted: list[np.ndarray] | None
    """Which tokens a tool inserted, as in `Completions`."""
    texts: list[str]
    verdicts: list[Verdict]
    rule: RuleName
    """Whose verdicts they are."""
    scores: Tensor
    """The reward of each completion, (prompts, samples), float32."""
    parts: dict[str, Tensor]
    """Of a reward that is a mixture, what each part gives, before its weight: (prompts, samples) each."""
    right_steps: list[bool] | None
    """Whether it is right and comes by right steps (`audit.by_right_steps`)."""
    seconds_generate: float
    seconds_verify: float

    @property
    def tokens(self) -> int:
        return sum(map(len, self.completions))

    @cached_property
    def arrays(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Prompt and completion of each, int64: what is packed fast, again and again."""
        return [(np.array(p), np.array(c)) for p, c in zip(self.prompts, self.completions, strict=True)]


OF_COMPLETIONS = (
    "prompts",
    "completions",
    "logprobs",
    "entropy",
    "finished",
    "inserted",
    "texts",
    "verdicts",
    "right_steps",
)
"""The fields of `Rollout` with one entry a completion."""


def collect(
    model: LanguageModel,
    tokenizer: Any,
    prompts: list[list[int]],
    questions: Sequence[Any],
    *,
    samples: int,
    sampling: Sampling,
    reward: Reward,
    truncated: Truncated,
    overlong: int | None = None,
    seed: int,
    step: int | str,
    stop: Callable[[], bool] | None = None,
) -> Rollout:
    """Sample and judge. The verifier sees the text of the completion, without the end token, and nothing else.

    Raises Interrupted if `stop()` turned true while it judged: the same call gives the same later; UserError for a
    reward that is not finite.

    Args:
        questions: of each prompt, with `answer` and `graph` (none: nothing to audit).
        overlong: tokens before max_new_tokens over which a penalty grows (`rewards.overlong_penalty`); None: none does.
        seed, step: fix every draw.
    """
    started = time.perf_counter()
    eos, pad = end_and_padding(tokenizer, model.model.generation_config)
    drawn = generate(
        model,
        prompts,
        samples=samples,
        sampling=sampling,
        eos=eos,
        pad=pad,
        generator=random_stream(seed, "sample", step),
        tool=PythonTool(tokenizer, eos) if sampling.tool else None,
    )
    generated = time.perf_counter()
    texts = decode(tokenizer, drawn)
    rule = rule_of(reward)
    golds = [question.answer for question in questions for _ in range(samples)]
    verdicts = verify_batch(
        texts,
        golds,
        scorer=rule,
        finished=drawn.finished,
        truncated=truncated,
        stop=stop,
    )
    if rule == "authors":  # whose labels are those of the released code: shares and accuracies are of our formats
        verdicts = [replace(v, format=classify(text)) for v, text in zip(verdicts, texts, strict=True)]
    judged = Judged(
        questions=[question.question for question in questions for _ in range(samples)],
        golds=golds,
        texts=texts,
        finished=drawn.finished,
        verdicts=verdicts,
        samples=samples,
        generator=random_stream(seed, "reward", step),
        rule=rule,
        truncated=truncated,
        lengths=[len(ids) for ids in drawn.completions],
        stop=stop,
    )
    scores, parts = earned(reward, judged)
    if overlong is not None:
        parts["overlong"] = overlong_penalty(judged.lengths, sampling.max_new_tokens, overlong)
        scores = scores + parts["overlong"]
    graphs = [question.graph for question in questions for _ in range(samples)]
    right_steps = audit.by_right_steps(texts, verdicts, graphs, reward)
    return Rollout(
        prompts=[prompt for prompt in prompts for _ in range(samples)],
        completions=drawn.completions,
        logprobs=drawn.logprobs,
        entropy=drawn.entropy,
        finished=drawn.finished,
        inserted=drawn.inserted,
        texts=texts,
        verdicts=verdicts,
        rule=rule,
        scores=_finite(scores, step).view(len(prompts), samples),
        parts={name: values.view(len(prompts), samples) for name, values in parts.items()},
        right_steps=right_steps,
        seconds_generate=generated - started,
        seconds_verify=time.perf_counter() - generated,
    )


def join(batches: Sequence[Rollout]) -> Rollout:
    """Several rollouts by one rule as one."""
    every = {name: [getattr(batch, name) for batch in batches] for name in Rollout.__annotations__}
    lists: dict[str, Any] = {name: list(chain(*every[name])) for name in OF_COMPLETIONS if None not in every[name]}
    lists |= {name: sum(every[name]) for name in ("seconds_generate", "seconds_verify")}
    parts = {name: torch.cat([batch.parts[name] for batch in batches]) for name in batches[0].parts}
    return replace(batches[0], scores=torch.cat(every["scores"]), parts=parts, **lists)


def select(rollout: Rollout, groups: Sequence[int]) -> Rollout:
    """Some groups of a rollout."""
    samples = rollout.scores.shape[1]
    rows = [group * samples + sample for group in groups for sample in range(samples)]
    lists: dict[str, Any] = {
        name: [values[row] for row in rows] for name in OF_COMPLETIONS if (values := getattr(rollout, name))
    }
    parts = {name: values[list(groups)] for name, values in rollout.parts.items()}
    return replace(rollout, scores=rollout.scores[list(groups)], parts=parts, **lists)


def _finite(scores: Tensor, step: int | str) -> Tensor:
    """The rewards, which one that is no number would make useless for its whole group, and its update for all.

    Raises UserError.
    """
    if scores.isfinite().all():
        return scores
    count = int((~scores.isfinite()).sum())
    raise UserError(f"step {step}: found {count} of {len(scores)} rewards that are not finite, allowed: numbers")


def informative_groups(scores: Tensor) -> Tensor:
    """Which groups have rewards that differ: only they move the policy. (groups,), bool."""
    return (scores != scores[:, :1]).any(1)


class Tally(dict[str, float]):
    """Sums by name; what nothing was added to is 0."""

    def __missing__(self, name: str) -> float:
        return 0

    def add(self, sums: Mapping[str, float]) -> None:
        """Name by name."""
        for name, value in sums.items():
            self[name] += value


def tally(rollout: Rollout) -> Tally:
    """Sums over the completions, from which `describe` makes a row; those of several rollouts add up."""
    sums = Tally(
        completions=len(rollout.completions),
        tokens=rollout.tokens,
        groups=len(rollout.scores),
        truncated=rollout.finished.count(False),
        inserted=sum(int(row.sum()) for row in rollout.inserted or ()),
        informative_groups=int(informative_groups(rollout.scores).sum()),
        reward=float(rollout.scores.sum()),
        entropy=sum(rollout.entropy),
    )
    for verdict in rollout.verdicts:
        sums[f"format_{verdict.format}"] += 1
        sums[f"correct_{verdict.format}"] += verdict.correct
        if verdict.status in ("error", "timeout"):
            sums[f"verifier_{verdict.status}s"] += 1
    if rollout.rule == "executed":  # the only rule that looks at both
        disagree = sum("box_disagrees" in verdict.flags for verdict in rollout.verdicts)
        sums |= {"executed": len(rollout.verdicts), "box_disagrees": disagree}
    sums |= {f"{PART}{name}": float(values.sum()) for name, values in rollout.parts.items()}
    if rollout.right_steps is not None:
        sums |= {"audited": len(rollout.right_steps), "right_steps": sum(rollout.right_steps)}
    return sums


@dataclass(frozen=True)
class Sampled:
    """All that a step has sampled: of what metrics tell, whatever it learns from."""

    sums: Tally
    """`tally` of it."""
    seconds: tuple[float, float]
    """Of generating and of verifying."""

    @classmethod
    def of(cls, batches: Sequence[Rollout]) -> Sampled:
        """Of some rollout batches."""
        sums = Tally()
        for batch in batches:
            sums.add(tally(batch))
        return cls(sums, (sum(b.seconds_generate for b in batches), sum(b.seconds_verify for b in batches)))


def describe(sums: Tally) -> dict[str, float | None]:
    """The columns of metrics.csv that tell of the policy that sampled; an accuracy without completions is None."""
    n = sums["completions"]
    row: dict[str, float | None] = {"reward_mean": sums["reward"] / n}
    for name in FORMATS:
        written = sums[f"format_{name}"]
        row[f"share_{name}"] = written / n
        row[f"accuracy_{name}"] = sums[f"correct_{name}"] / written if written else None
    row["share_truncated"] = sums["truncated"] / n
    row["share_informative_groups"] = sums["informative_groups"] / sums["groups"]
    row["entropy"] = sums["entropy"] / (sums["tokens"] - sums["inserted"])
    row["completion_tokens_mean"] = sums["tokens"] / n
    row |= {name: sums[name] for name in ("verifier_errors", "verifier_timeouts")}
    audited = sums["audited"] == n
    row["right_steps_mean"] = sums["right_steps"] / n if audited else None
    row["reward_minus_right_steps"] = (sums["reward"] - sums["right_steps"]) / n if audited else None
    row["share_box_disagrees"] = sums["box_disagrees"] / n if sums["executed"] == n else None
    return row | {name: total / n for name, total in sums.items() if name.startswith(PART)}


def number(row: Mapping[str, float | None], name: str) -> float:
    """A value of a row of metrics.csv that is never empty."""
    value = row[name]
    if value is None:
        raise ValueError(f"{name}: found nothing, allowed: a number")
    return value


def what_it_earns(row: Mapping[str, float | None]) -> dict[str, float | str]:
    """The reward and the most frequent format of a row of metrics.csv: for the progress line."""
    format = max(FORMATS, key=lambda name: number(row, f"share_{name}"))
    return {"reward": number(row, "reward_mean"), "format": format}
