"""Prompts to completions, verdicts and rewards."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from echochamber.forward import LanguageModel
from echochamber.generate import Completions, generate
from echochamber.settings import FORMATS, Sampling
from echochamber.tokens import encode
from echochamber.verify import Verdict, verify_batch


def random_stream(seed: int, *names: str | int) -> torch.Generator:
    """A generator of its own for everything that is drawn, told apart by names: nothing to save, nothing to restore."""
    digest = hashlib.sha256(repr((seed, *names)).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))


@dataclass
class Rollout:
    """Completions with their rewards; the lists have one entry a completion, those of a prompt side by side."""

    prompts: list[list[int]]
    completions: list[list[int]]
    logprobs: list[np.ndarray]
    """The sampler's, as in `echochamber.generate.Completions`."""
    entropy: list[float]
    finished: list[bool]
    texts: list[str]
    verdicts: list[Verdict]
    scores: Tensor
    """The reward of each completion, (prompts, samples), float32."""
    seconds_generate: float
    seconds_verify: float

    @property
    def tokens(self) -> int:
        return sum(map(len, self.completions))


def collect(
    model: LanguageModel,
    tokenizer: Any,
    prompts: list[list[int]],
    golds: list[str],
    *,
    samples: int,
    sampling: Sampling,
    reward: str,
    seed: int,
    step: int | str,
) -> Rollout:
    """Sample and judge. The verifier sees the text of the completion, without the end token, and nothing else.

    Args:
        golds: the right answer of each prompt.
        seed, step: fix every draw.
    """
    started = time.perf_counter()
    eos, pad = end_and_padding(tokenizer)
    drawn = generate(
        model,
        prompts,
        samples=samples,
        sampling=sampling,
        eos=eos,
        pad=pad,
        generator=random_stream(seed, "sample", step),
    )
    generated = time.perf_counter()
    texts = decode(tokenizer, drawn)
    verdicts = verify_batch(texts, [gold for gold in golds for _ in range(samples)], finished=drawn.finished)
    scores = rewards(verdicts, reward, random_stream(seed, "reward", step)).view(len(prompts), samples)
    return Rollout(
        prompts=[prompt for prompt in prompts for _ in range(samples)],
        completions=drawn.completions,
        logprobs=drawn.logprobs,
        entropy=drawn.entropy,
        finished=drawn.finished,
        texts=texts,
        verdicts=verdicts,
        scores=scores,
        seconds_generate=generated - started,
        seconds_verify=time.perf_counter() - generated,
    )


def rewards(verdicts: list[Verdict], reward: str, generator: torch.Generator) -> Tensor:
    """0 or 1 for each completion: `correct`, or a control, `random` (a fair coin) or `format:F` (F, right or not)."""
    if reward == "random":
        return (torch.rand(len(verdicts), generator=generator) < 0.5).float()
    wanted = reward.removeprefix("format:")
    return torch.tensor(
        [float(verdict.correct if reward == "correct" else verdict.format == wanted) for verdict in verdicts]
    )


def informative_groups(scores: Tensor) -> Tensor:
    """Which groups have rewards that differ: only they move the policy. (groups,), bool."""
    return (scores != scores[:, :1]).any(1)


COLUMNS = (
    "completions_sampled",
    "learning_rate",
    "reward_mean",
    *(f"{what}_{name}" for name in FORMATS for what in ("share", "accuracy")),
    "share_truncated",
    "share_informative_groups",
    "kl",
    "entropy",
    "approx_kl",
    "clip_fraction",
    "explained_variance",
    "completion_tokens_mean",
    "gradient_norm",
)
"""Of a run's metrics.csv, after its step."""


def metrics_row(**values: float | None) -> dict[str, float | None]:
    """The values in the order of the columns."""
    return {name: values[name] for name in COLUMNS}


def tally(rollout: Rollout) -> Counter[str]:
    """Sums over the completions, from which `describe` makes a row; those of several rollouts add up."""
    sums: Counter[str] = Counter(
        completions=len(rollout.completions),
        tokens=rollout.tokens,
        groups=len(rollout.scores),
        truncated=rollout.finished.count(False),
        informative_groups=int(informative_groups(rollout.scores).sum()),
        reward=float(rollout.scores.sum()),
        entropy=sum(rollout.entropy),
    )
    for verdict in rollout.verdicts:
        sums[f"format_{verdict.format}"] += 1
        sums[f"correct_{verdict.format}"] += verdict.correct
    return sums


def describe(sums: Counter[str]) -> dict[str, float | None]:
    """The columns of metrics.csv that tell of the policy that sampled; an accuracy without completions is None."""
    n = sums["completions"]
    row: dict[str, float | None] = {"reward_mean": sums["reward"] / n}
    for name in FORMATS:
        written = sums[f"format_{name}"]
        row[f"share_{name}"] = written / n
        row[f"accuracy_{name}"] = sums[f"correct_{name}"] / written if written else None
    row["share_truncated"] = sums["truncated"] / n
    row["share_informative_groups"] = sums["informative_groups"] / sums["groups"]
    row["entropy"] = sums["entropy"] / sums["tokens"]
    row["completion_tokens_mean"] = sums["tokens"] / n
    return row


def what_it_earns(row: dict[str, float | None]) -> dict[str, float | str]:
    """The reward and the most frequent format of a row of metrics.csv: for the progress line."""
    return {"reward": row["reward_mean"], "format": max(FORMATS, key=lambda name: row[f"share_{name}"])}


def decode(tokenizer: Any, drawn: Completions) -> list[str]:
    """The text of each completion, without the end token: all that a verifier sees."""
    bare = [ids[:-1] if done else ids for ids, done in zip(drawn.completions, drawn.finished, strict=True)]
    return tokenizer.batch_decode(bare, skip_special_tokens=False, clean_up_tokenization_spaces=False)


def end_and_padding(tokenizer: Any) -> tuple[int, int]:
    """Ids of the end token and of the padding token (the end token where there is no other)."""
    pad = tokenizer.pad_token_id
    return tokenizer.eos_token_id, tokenizer.eos_token_id if pad is None else pad


def encode_questions(tokenizer: Any, questions: list[Any]) -> list[list[int]]:
    """A prompt is the question and an empty line, in the tokens that they have in a document: no template, no start.

    Many tokenizers join two line breaks at the end of a text and keep them apart before a word, so that a prompt
    encoded by itself would end in a token that never stood there in pretraining: it is encoded with a letter after it.
    """
    texts = [question.question + "\n\n" for question in questions]
    alone = encode(tokenizer, texts)
    followed = [ids[:-1] for ids in encode(tokenizer, [text + "x" for text in texts])]
    same = zip(tokenizer.batch_decode(followed), tokenizer.batch_decode(alone), strict=True)
    return [
        ids if one == other else by_itself for ids, by_itself, (one, other) in zip(followed, alone, same, strict=True)
    ]
