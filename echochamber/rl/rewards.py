"""What a completion earns, by the name of its reward (`echochamber.algorithms.rewards`; docs/rewards.md)."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor

from echochamber.errors import UserError, shortened
from echochamber.formats import DEFAULT_RULE, RULES, RuleName, Truncated
from echochamber.verify import Verdict, verify_batch
from echochamber.verify.answers import last_box, numeric

OFFSETS = (1, -1, 2, -2)
"""What a wrong label differs by from the right answer."""


@dataclass(frozen=True)
class Judged:
    """A rollout batch as rewards see it; the lists have one entry a completion, those of a prompt side by side."""

    questions: Sequence[str]
    golds: Sequence[str | int]
    texts: Sequence[str]
    finished: Sequence[bool]
    verdicts: Sequence[Verdict]
    """By the rule of the reward, or the default one."""
    samples: int
    """Completions of a prompt."""
    generator: torch.Generator
    """Of what a reward draws."""
    truncated: Truncated = "wrong"
    stop: Callable[[], bool] | None = None


def earned(reward: str, batch: Judged) -> Tensor:
    """The reward of each completion, (completions,), float32.

    Raises UserError for a gold that a wrong label cannot be made of, Interrupted if `batch.stop()` turned true.
    """
    if reward == "random":
        return (torch.rand(len(batch.verdicts), generator=batch.generator) < 0.5).float()
    if reward in RULES:
        return _shares(verdict.correct for verdict in batch.verdicts)
    return _shares(BY_NAME[reward](batch) if reward in BY_NAME else _of_format(reward, batch))


def _shares(values: object) -> Tensor:
    return torch.tensor([float(value) for value in values])  # type: ignore[attr-defined]


def _of_format(reward: str, batch: Judged) -> list[bool]:
    wanted = reward.removeprefix("format:")
    return [verdict.format == wanted for verdict in batch.verdicts]


def _boxed(batch: Judged) -> list[bool]:
    """Whether there is a box with something in it, right or not."""
    return [bool((last_box(text) or "").strip()) for text in batch.texts]


def _majority(batch: Judged) -> list[bool]:
    """Whether the answer is the most frequent one among the completions of the prompt."""
    keys = [verdict.answer_key for verdict in batch.verdicts]
    groups = [keys[begin : begin + batch.samples] for begin in range(0, len(keys), batch.samples)]
    return [agrees for group in groups for agrees in with_the_majority(group)]


def with_the_majority(keys: Sequence[str | None]) -> list[bool]:
    """Which answers are the one with the most votes; of equally many, the one that came first. None has no vote."""
    votes = Counter(key for key in keys if key is not None)
    label = votes.most_common(1)[0][0] if votes else None
    return [key is not None and key == label for key in keys]


def _wrong(batch: Judged) -> list[bool]:
    """Whether the answer is a wrong one, the same for the question in every step."""
    labels = {
        (question, gold): wrong_label(question, gold)
        for question, gold in dict.fromkeys(zip(batch.questions, batch.golds, strict=True))
    }
    rule: RuleName = DEFAULT_RULE
    verdicts = verify_batch(
        batch.texts,
        [labels[key] for key in zip(batch.questions, batch.golds, strict=True)],
        scorer=rule,
        finished=batch.finished,
        truncated=batch.truncated,
        stop=batch.stop,
    )
    return [verdict.correct for verdict in verdicts]


def wrong_label(question: str, gold: str | int) -> str:
    """A wrong answer near the right one, fixed by the question: a number 1 or 2 away, of the same sign; or the letter
    beside the right one.

    Raises UserError for a gold that is neither.
    """
    text = str(gold).strip()
    value = numeric(text)
    if value is None:
        if len(text) == 1 and text.isascii() and text.isupper():
            return chr(ord(text) + 1) if text == "A" else chr(ord(text) - 1)
        raise UserError(f"reward wrong-label: found the gold {shortened(gold)}, allowed: a number, or a letter A to Z")
    allowed = [value + offset for offset in OFFSETS if value < 0 or value + offset >= 0]
    digest = hashlib.sha256(question.encode()).digest()
    label: Fraction = allowed[int.from_bytes(digest[:8], "big") % len(allowed)]
    return str(label)


BY_NAME: dict[str, Callable[[Judged], list[bool]]] = {
    "boxed": _boxed,
    "majority-vote": _majority,
    "wrong-label": _wrong,
}
