"""What a completion earns by each reward, by hand."""

from __future__ import annotations

import pytest

from echochamber.errors import UserError
from echochamber.rl.rewards import Judged, earned, with_the_majority, wrong_label
from echochamber.sampling.draw import random_stream
from echochamber.verify import verify_batch


def batch(texts: list[str], gold: str = "5", samples: int | None = None, finished: list[bool] | None = None) -> Judged:
    """Completions of questions with one gold, as a run judges them."""
    golds, finished = [gold] * len(texts), finished or [True] * len(texts)
    return Judged(
        questions=["How many?"] * len(texts),
        golds=golds,
        texts=texts,
        finished=finished,
        verdicts=verify_batch(texts, golds, finished=finished),
        samples=samples or len(texts),
        generator=random_stream(0, "reward", 1),
    )


def box(answer: int | str) -> str:
    return f"So it is \\boxed{{{answer}}}."


def test_a_box_earns_one_whatever_is_in_it():
    texts = [box(5), box(7), box(""), box(" "), "It is 5.", "\\boxed{5", "\\boxed{1} and \\boxed{}"]
    assert earned("boxed", batch(texts)).tolist() == [1, 1, 0, 0, 0, 0, 0]


def test_the_majority_of_each_prompt_earns_one_right_or_not():
    texts = [box(7), box("7.0"), box(5), "nothing", box(5), box(3), box(5), "nothing"]
    assert earned("majority-vote", batch(texts, samples=4)).tolist() == [1, 1, 0, 0, 1, 0, 1, 0]


@pytest.mark.parametrize(
    ("keys", "label"),
    [(["5", "7", "7", None], "7"), (["5", "7"], "5"), (["7", "5"], "7"), ([None, None, "5", None], "5"), ([None], "")],
)
def test_a_vote(keys, label):
    """Those without an answer have none; of equally many, the first to be sampled wins."""
    assert with_the_majority(keys) == [key == label for key in keys]


def test_truncated_answers_have_no_vote():
    texts = [box(7), box(7), box(5)]
    assert earned("majority-vote", batch(texts, finished=[False, False, True])).tolist() == [0, 0, 1]


def test_a_wrong_answer_earns_one_and_the_right_one_nothing():
    wrong = wrong_label("How many?", "5")
    assert wrong in ("3", "4", "6", "7")
    rest = str(next(n for n in (3, 4, 6, 7) if str(n) != wrong))
    assert earned("wrong-label", batch([box(5), box(wrong), box(rest), "nothing"])).tolist() == [0, 1, 0, 0]
    assert earned("wrong-label", batch([box(wrong)], finished=[False])).tolist() == [0]


def test_wrong_labels_are_fixed_by_the_question_spread_and_keep_the_sign():
    labels = {question: wrong_label(question, "5") for question in map(str, range(400))}
    assert labels == {question: wrong_label(question, "5") for question in labels}
    counts = [list(labels.values()).count(str(n)) for n in (3, 4, 6, 7)]
    assert sum(counts) == 400
    assert min(counts) > 60
    assert {wrong_label(str(i), "0") for i in range(50)} == {"1", "2"}
    assert {wrong_label(str(i), "1") for i in range(50)} == {"0", "2", "3"}
    assert {wrong_label(str(i), "1/2") for i in range(50)} == {"3/2", "5/2"}
    assert [wrong_label("q", letter) for letter in "ABD"] == ["B", "A", "C"]


def test_a_gold_that_has_no_wrong_one_is_one_line():
    expected = r"^reward wrong-label: found the gold 'x\+1', allowed: a number, or a letter A to Z$"
    with pytest.raises(UserError, match=expected):
        earned("wrong-label", batch([box(5)], gold="x+1"))
