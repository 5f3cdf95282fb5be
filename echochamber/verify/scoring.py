"""Completions and golds -> verdicts. Every number of a study rests on these functions; `rules.py` says who is right."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from echochamber.errors import Interrupted, WorkerError
from echochamber.formats import DEFAULT_RULE, RULES, RuleName, Truncated
from echochamber.printable import printable
from echochamber.verify import batch, verdict
from echochamber.verify.answers import Gold, parse_gold
from echochamber.verify.completion import Completion
from echochamber.verify.rules import judge
from echochamber.verify.verdict import Verdict

log = logging.getLogger(__name__)
SHOWN = 200
"""Characters of a completion in the log."""


def verify(
    completion: str,
    gold: str | int,
    *,
    scorer: RuleName = DEFAULT_RULE,
    finished: bool = True,
    truncated: Truncated = "wrong",
) -> Verdict:
    """Judge one completion; `verify_batch` says how."""
    return verify_batch([completion], [gold], scorer=scorer, finished=[finished], truncated=truncated)[0]


def verify_batch(
    completions: Sequence[str],
    golds: Sequence[str | int],
    *,
    scorer: RuleName = DEFAULT_RULE,
    finished: Sequence[bool] | None = None,
    truncated: Truncated = "wrong",
    stop: Callable[[], bool] | None = None,
) -> list[Verdict]:
    """Judge completions against their golds by one rule, in order; duplicates are executed once.

    `finished[i]` is False where generation ended without the end token: such a completion earns nothing, unless
    `truncated` is `judged`, or the rule `authors`. Verdicts do not depend on the order, the size of the batch or the
    process, unless a status is `timeout`, which also those get that are left when a batch has lost its time to others
    (`patience.py`).

    Raises ValueError for lists of unequal length, an unknown rule or a gold without an answer, WorkerError if a worker
    cannot be started, Interrupted if `stop()` turned true meanwhile; nothing because of a completion: one in which
    the verifier fails has the status `error`.
    """
    return verify_by_rules(completions, golds, rules=(scorer,), finished=finished, truncated=truncated, stop=stop)[
        scorer
    ]


def verify_by_rules(
    completions: Sequence[str],
    golds: Sequence[str | int],
    *,
    rules: Sequence[RuleName] = RULES,
    finished: Sequence[bool] | None = None,
    truncated: Truncated = "wrong",
    stop: Callable[[], bool] | None = None,
) -> dict[RuleName, list[Verdict]]:
    """`verify_batch` by several rules; a program whose value several of them need is executed once."""
    if finished is None:
        finished = [True] * len(completions)
    if not len(completions) == len(golds) == len(finished):
        lengths = f"{len(completions)} completions, {len(golds)} golds, {len(finished)} finished"
        raise ValueError(f"verify_batch: found {lengths}; allowed: equal numbers")
    for rule in rules:
        if rule not in RULES:
            raise ValueError(f"scorer: found {rule!r}, allowed: {', '.join(RULES)}")
    accepted = {gold: parse_gold(gold) for gold in set(golds)}
    rows = list(zip(completions, finished, golds, strict=True))
    asked: dict[tuple[str, bool], list[str | int]] = {}  # a program is executed once for all golds
    for text, done, gold in dict.fromkeys(rows):
        asked.setdefault((text, done), []).append(gold)

    def judged(job: tuple[str, bool]) -> list[list[Verdict]]:
        parsed: list[Completion] = []
        return [[_judge_safely(*job, parsed, accepted[gold], rule, truncated) for rule in rules] for gold in asked[job]]

    def slow(verdicts_by_gold: list[list[Verdict]]) -> bool:
        for verdicts in verdicts_by_gold:  # plain loops: this is a tenth of what a boxed number costs
            for one in verdicts:
                if one.status in batch.SLOW:
                    return True
        return False

    before = verdict.counters()
    try:
        results = batch.run(list(asked), judged, slow, stop)
    except (Interrupted, KeyboardInterrupt):
        verdict.restore_counters(before)  # the batch will be verified again
        raise
    by_row = {
        (*job, gold): verdicts
        for job, verdicts_by_gold in results.items()
        for gold, verdicts in zip(asked[job], verdicts_by_gold, strict=True)
    }
    by_rule = {rule: [by_row[row][i] for row in rows] for i, rule in enumerate(rules)}
    for verdicts in by_rule.values():
        verdict.count_statuses(v.status for v in verdicts)
    return by_rule


def _judge_safely(
    text: str, done: bool, parsed: list[Completion], gold: Gold, rule: RuleName, truncated: Truncated
) -> Verdict:
    """The verdict, or the status `error`: whatever a completion makes the verifier raise costs it its reward, and no
    run its life. `parsed` holds the completion once it is read, so that its program runs once."""
    try:
        if not parsed:
            parsed.append(Completion(text, done))
        return judge(parsed[0], gold, rule, truncated)
    except (Interrupted, WorkerError):
        raise
    except Exception as error:
        shown = f"{text[:SHOWN]}{'...' if len(text) > SHOWN else ''}"
        log.warning(
            "verify: found a completion in which %s raised %s: %s; it counts as wrong, with the status error: %s",
            rule,
            type(error).__name__,
            printable(str(error)[:SHOWN]),
            printable(shown),
        )
        label, flags = (parsed[0].format, parsed[0].flags) if parsed else ("other", frozenset())
        return Verdict(False, label, None, None, "error", flags)
