"""Every measure of one model at one step on one question set, with its interval over questions.

| metric | k | format | what |
|---|---|---|---|
| greedy_accuracy | | | right by greedy decoding (the paper's pass@1) |
| pass_at_k | 1, 2, 4, ..., n | | unbiased; k = 1 is the mean accuracy of the samples |
| majority_at_k | 1, 2, 4, ..., n | | a true vote, exact expectation over subsets |
| majority_vote | n | | the vote of all samples cast once, ties broken at random by a seed (the question's place) |
| share | | F | completions in format F |
| accuracy_within_format | | F | right ones among those in F; no row while the share is 0 |
| share_truncated | | | no end token |
| share_degenerate | | | flagged degenerate by the verifier |
| share_without_answer | | | no answer where the format puts it |
| distinct_answers, answer_entropy | | | per question, among its samples; entropy in nats |
| completion_tokens | | | mean length |

`scorer` names the rule that judged; what does not depend on it stands at the default one alone. `n_samples` counts the
completions that an estimate rests on.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from echochamber.analysis.samples import Answers
from echochamber.formats import DEFAULT_RULE, FORMATS, RULES
from echochamber.stats import metrics
from echochamber.stats.columns import FORMAT, ID, MEASURED, QUESTION_SET, SAMPLED, SETTING, STEP, Column, K, Table
from echochamber.stats.intervals import question_intervals

SCORES = Table(
    "scores",
    "a measure of a model or run at a checkpoint",
    (
        *(ID, *SETTING, STEP, SAMPLED, QUESTION_SET),
        Column("scorer", "text", "the rule that judged"),
        Column("metric", "text", "which measure, of those below"),
        *(K, FORMAT, *MEASURED),
    ),
    notes=__doc__.partition("\n\n")[2],
)
"""The rows of `scores` have its columns from `scorer` on."""

Columns = list[tuple[str, int | None, str | None, np.ndarray, np.ndarray | None, bool]]
"""(metric, k, format, numerator per question, denominator per question or None, whether it lies in [0, 1])."""


def scores(greedy: Answers | None, sampled: Answers | None) -> list[dict]:
    """Rows with the columns of `SCORES` from `scorer` on, for one model, step and question set."""
    rows: list[dict] = []
    for scorer in RULES:
        if greedy is not None:
            right = greedy.by(scorer).correct.mean(1)
            rows += rows_of(scorer, [("greedy_accuracy", None, None, right, None, True)], greedy)
        if sampled is not None:
            rows += rows_of(scorer, list(_sampled(scorer, sampled.by(scorer))), sampled)
    return rows


def _sampled(scorer: str, answers: Answers) -> Iterator[tuple]:
    correct, form = answers.correct, answers.format
    n = correct.shape[1]
    ks = metrics.powers_of_two(n)
    for k in ks:
        yield "pass_at_k", k, None, metrics.pass_at_k(n, correct.sum(1), k), None, True
    for i, name in enumerate(FORMATS):
        within = form == i
        yield "share", None, name, within.mean(1), None, True
        yield "accuracy_within_format", None, name, (correct & within).sum(1), within.sum(1), True
    votes = majority_votes(answers)
    for k, column in zip(ks, votes.T, strict=True):
        yield "majority_at_k", k, None, column, None, True
    cast = [
        metrics.majority_vote([int(key) if key >= 0 else None for key in row], right, seed)
        for seed, (row, right) in enumerate(zip(answers.key, correct, strict=True))
    ]
    yield "majority_vote", n, None, np.array(cast), None, True
    yield "share_without_answer", None, None, (answers.key < 0).mean(1), None, True
    tallies = [np.unique(row[row >= 0], return_counts=True)[1] for row in answers.key]
    yield "distinct_answers", None, None, np.array([len(t) for t in tallies]), None, False
    yield "answer_entropy", None, None, np.array([metrics.answer_entropy(t) for t in tallies]), None, False
    if scorer == DEFAULT_RULE:
        yield "share_truncated", None, None, (~answers.finished).mean(1), None, True
        yield "share_degenerate", None, None, answers.degenerate.mean(1), None, True
        yield "completion_tokens", None, None, answers.tokens.mean(1), None, False


def majority_votes(answers: Answers) -> np.ndarray:
    """Expected correctness of the vote: (questions, one column for each of `metrics.powers_of_two(n)`)."""
    n = answers.correct.shape[1]
    ks = metrics.powers_of_two(n)
    votes = np.zeros((len(answers.questions), len(ks)))
    for i, (keys, correct) in enumerate(zip(answers.key, answers.correct, strict=True)):
        if not correct.any():
            continue
        cast = keys >= 0
        distinct, which, counts = np.unique(keys[cast], return_inverse=True, return_counts=True)
        credit = np.bincount(which, weights=correct[cast], minlength=len(distinct)) / counts
        votes[i] = metrics.majority_from_counts(counts.tolist(), credit.tolist(), int(n - cast.sum()), ks)
    return votes


def rows_of(scorer: str, columns: Columns, answers: Answers) -> Iterator[dict]:
    """A row a column, with its interval over questions; none where no completion counts."""
    questions, samples = answers.correct.shape
    numerator = np.stack([c[3] for c in columns], axis=1).astype(float)
    denominator = np.stack([np.ones(questions) if c[4] is None else c[4] for c in columns], axis=1)
    ends = question_intervals(numerator, denominator, proportion=np.array([c[5] for c in columns]))
    for (metric, k, form, _, per, _), (estimate, low, high) in zip(columns, ends.T, strict=True):
        counted = questions * samples if per is None else int(per.sum())
        if counted:
            yield {
                "scorer": scorer,
                "metric": metric,
                "k": k,
                "format": form,
                "estimate": estimate,
                "low": low,
                "high": high,
                "n_questions": questions if per is None else int((per > 0).sum()),
                "n_samples": counted,
                "n_seeds": 1,
            }
