"""What a completion earns, by the settings of its reward (`echochamber.algorithms.rewards`; docs/rewards.md)."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor

from echochamber.algorithms.rewards import (
    ChoiceReward,
    ExactReward,
    FunctionReward,
    LengthReward,
    MixtureReward,
    RegexReward,
    parts,
)
from echochamber.errors import UserError, shortened
from echochamber.formats import DEFAULT_RULE, RULES, RuleName, Truncated
from echochamber.rl.function_reward import by_function
from echochamber.verify import Verdict, verify_batch
from echochamber.verify.answers import BETWEEN, last_box, numeric
from echochamber.verify.completion import PHRASE

OFFSETS = (1, -1, 2, -2)
"""What a wrong label differs by from the right answer."""
LETTER = re.compile(r"(?:\\(?:text|textbf|mathrm|mathbf)\s*\{|[\W_])*([A-Za-z])(?![A-Za-z0-9])")
"""The letter of an option at the start of an answer, as text or in LaTeX."""


@dataclass(frozen=True)
class Judged:
    """A rollout batch as rewards see it; the lists have one entry a completion, those of a prompt side by side."""

    questions: Sequence[str]
    golds: Sequence[str | int]
    texts: Sequence[str]
    finished: Sequence[bool]
    verdicts: Sequence[Verdict]
    """By `rule`."""
    samples: int
    """Completions of a prompt."""
    generator: torch.Generator
    """Of what a reward draws."""
    rule: RuleName = DEFAULT_RULE
    truncated: Truncated = "wrong"
    lengths: Sequence[int] = ()
    """Tokens of each."""
    stop: Callable[[], bool] | None = None

    def by(self, rule: RuleName, golds: Sequence[str | int] | None = None) -> Sequence[Verdict]:
        """The verdicts of a rule, against other golds if they are given."""
        if golds is None and rule == self.rule:
            return self.verdicts
        return verify_batch(
            self.texts,
            self.golds if golds is None else golds,
            scorer=rule,
            finished=self.finished,
            truncated=self.truncated,
            stop=self.stop,
        )

    @property
    def read(self) -> list[bool]:
        """Which completions are read at all: where truncated ones count as wrong, finished ones."""
        return [done or self.truncated == "judged" for done in self.finished]


def rule_of(reward: Any) -> RuleName:
    """The rule whose verdicts a run keeps: the reward's, or the first in a mixture, or else the default one."""
    parts = [part.reward for part in reward.parts.values()] if isinstance(reward, MixtureReward) else [reward]
    return next((rule for part in parts for rule in RULES if rule == part), DEFAULT_RULE)


def earned(reward: Any, batch: Judged) -> tuple[Tensor, dict[str, Tensor]]:
    """The reward of each completion, (completions,), float32, and of a mixture that of each part, before its weight.

    Raises UserError for a gold that a wrong label cannot be made of, and where a function of the user's fails;
    Interrupted if `batch.stop()` turned true.
    """
    if not isinstance(reward, MixtureReward):
        return _one(reward, batch), {}
    each = {name: _one(part.reward, batch) for name, part in reward.parts.items()}
    return torch.stack([part.weight * each[name] for name, part in reward.parts.items()]).sum(0), each


def _one(reward: Any, batch: Judged) -> Tensor:
    if reward == "random":
        return (torch.rand(len(batch.verdicts), generator=batch.generator) < 0.5).float()
    return torch.tensor([float(value) for value in _values(reward, batch)])


def _values(reward: Any, batch: Judged) -> Iterable[float]:
    if not isinstance(reward, str):
        return BY_KIND[type(reward)](reward, batch)
    rule = next((rule for rule in RULES if rule == reward), None)
    if rule:
        return [verdict.correct for verdict in batch.by(rule)]
    if reward in BY_NAME:
        return BY_NAME[reward](batch)
    wanted = reward.removeprefix("format:")
    return [verdict.format == wanted for verdict in batch.verdicts]


def overlong_penalty(lengths: Sequence[int], most: int, grows: int) -> Tensor:
    """DAPO's soft overlong punishment (Yu et al. 2025, arXiv 2503.14476, equation 13), (completions,).

    0 up to `most - grows` tokens, from there in a straight line to -1 at `most`, where a completion is cut off.
    """
    over = torch.tensor(lengths) - (most - grows)
    return -(over / grows).clamp(0, 1)


# --- those that have a name alone ------------------------------------------------------------------------------------


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
    asked = list(zip(batch.questions, batch.golds, strict=True))
    labels = {key: wrong_label(*key) for key in dict.fromkeys(asked)}
    return [verdict.correct for verdict in batch.by(DEFAULT_RULE, [labels[key] for key in asked])]


def wrong_label(question: str, gold: str | int) -> str:
    """A wrong answer near the right one, fixed by the question: a number 1 or 2 away, below 0 only where that one is;
    or the letter beside the right one.

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


def refuse_golds(reward: Any, questions: Sequence[Any]) -> None:
    """Raise UserError for a gold that a wrong label cannot be made of, before anything is sampled."""
    if "wrong-label" in (reward, *parts(reward).values()):
        for question in questions:
            wrong_label(question.question, question.answer)


BY_NAME: dict[str, Callable[[Judged], list[bool]]] = {
    "boxed": _boxed,
    "majority-vote": _majority,
    "wrong-label": _wrong,
}


# --- those with settings ---------------------------------------------------------------------------------------------


def stated_answer(text: str) -> str:
    """The last box; without one what follows the last "The answer is", on its line; without that the last line."""
    box = last_box(text)
    if box is not None:
        return box.strip()
    _, phrase, rest = text.rpartition(PHRASE)
    if phrase:
        return rest.partition("\n")[0].strip(" \t\r:").removesuffix(".")
    return text.rstrip().rpartition("\n")[2].strip()


def accepted(gold: str | int) -> list[str]:
    """The golds of a question, each of which is right."""
    return [one.strip() for one in str(gold).split(BETWEEN)]


def _exact(settings: ExactReward, batch: Judged) -> list[bool]:
    def plain(text: str) -> str:
        return text.casefold() if settings.ignore_case else text

    rows = zip(batch.texts, batch.golds, batch.read, strict=True)
    return [read and plain(stated_answer(text)) in map(plain, accepted(gold)) for text, gold, read in rows]


def _choice(settings: ChoiceReward, batch: Judged) -> list[bool]:
    rows = zip(batch.texts, batch.golds, batch.read, strict=True)
    return [read and chosen(text) in [one.upper() for one in accepted(gold)] for text, gold, read in rows]


def chosen(text: str) -> str | None:
    """The letter of the option that a completion answers with, in capitals."""
    letter = LETTER.match(stated_answer(text))
    return letter.group(1).upper() if letter else None


def _regex(settings: RegexReward, batch: Judged) -> list[bool]:
    pattern = re.compile(settings.pattern)
    named = "answer" in pattern.groupindex

    def holds(text: str, gold: str | int) -> bool:
        if not named:
            return pattern.search(text) is not None
        return any((match["answer"] or "").strip() in accepted(gold) for match in pattern.finditer(text))

    rows = zip(batch.texts, batch.golds, batch.read, strict=True)
    return [read and holds(text, gold) for text, gold, read in rows]


def _length(settings: LengthReward, batch: Judged) -> list[float]:
    over = (max(0, tokens - settings.free) / (settings.full - settings.free) for tokens in batch.lengths)
    return [-min(1.0, share) for share in over]


def _function(settings: FunctionReward, batch: Judged) -> list[float]:
    golds = [accepted(gold) for gold in batch.golds]
    return by_function(settings, batch.questions, batch.texts, golds, batch.stop)


BY_KIND: dict[type, Callable[[Any, Judged], Iterable[float]]] = {
    ExactReward: _exact,
    ChoiceReward: _choice,
    RegexReward: _regex,
    LengthReward: _length,
    FunctionReward: _function,
}
