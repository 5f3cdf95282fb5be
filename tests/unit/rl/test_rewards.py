"""What a completion earns by each reward, by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from echochamber.algorithms import algorithm
from echochamber.corpora.documents import Question
from echochamber.errors import UserError
from echochamber.rl import expert_iteration, policy_gradient
from echochamber.rl.rewards import Judged, chosen, earned, refuse_golds, rule_of, with_the_majority, wrong_label
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


def pay(reward, batch: Judged) -> torch.Tensor:
    """The scores alone, of a reward as a grid file has it."""
    return earned(algorithm(kind="grpo", reward=reward).reward, batch)[0]


def box(answer: int | str) -> str:
    return f"So it is \\boxed{{{answer}}}."


def test_a_box_earns_one_whatever_is_in_it():
    texts = [box(5), box(7), box(""), box(" "), "It is 5.", "\\boxed{5", "\\boxed{1} and \\boxed{}"]
    assert pay("boxed", batch(texts)).tolist() == [1, 1, 0, 0, 0, 0, 0]


def test_the_majority_of_each_prompt_earns_one_right_or_not():
    texts = [box(7), box("7.0"), box(5), "nothing", box(5), box(3), box(5), "nothing"]
    assert pay("majority-vote", batch(texts, samples=4)).tolist() == [1, 1, 0, 0, 1, 0, 1, 0]


@pytest.mark.parametrize(
    ("keys", "label"),
    [(["5", "7", "7", None], "7"), (["5", "7"], "5"), (["7", "5"], "7"), ([None, None, "5", None], "5"), ([None], "")],
)
def test_a_vote(keys, label):
    """Those without an answer have none; of equally many, the first to be sampled wins."""
    assert with_the_majority(keys) == [key == label for key in keys]


def test_truncated_answers_have_no_vote():
    texts = [box(7), box(7), box(5)]
    assert pay("majority-vote", batch(texts, finished=[False, False, True])).tolist() == [0, 0, 1]


def test_a_wrong_answer_earns_one_and_the_right_one_nothing():
    wrong = wrong_label("How many?", "5")
    assert wrong in ("3", "4", "6", "7")
    rest = str(next(n for n in (3, 4, 6, 7) if str(n) != wrong))
    assert pay("wrong-label", batch([box(5), box(wrong), box(rest), "nothing"])).tolist() == [0, 1, 0, 0]
    assert pay("wrong-label", batch([box(wrong)], finished=[False])).tolist() == [0]


def test_wrong_labels_are_fixed_by_the_question_spread_and_below_0_only_where_the_right_one_is():
    labels = {question: wrong_label(question, "5") for question in map(str, range(400))}
    assert labels == {question: wrong_label(question, "5") for question in labels}
    counts = [list(labels.values()).count(str(n)) for n in (3, 4, 6, 7)]
    assert sum(counts) == 400
    assert min(counts) > 60
    assert {wrong_label(str(i), "0") for i in range(50)} == {"1", "2"}
    assert {wrong_label(str(i), "1") for i in range(50)} == {"0", "2", "3"}
    assert {wrong_label(str(i), "-1") for i in range(50)} == {"0", "1", "-2", "-3"}
    assert {wrong_label(str(i), "1/2") for i in range(50)} == {"3/2", "5/2"}
    assert [wrong_label("q", letter) for letter in "ABD"] == ["B", "A", "C"]


def test_a_gold_that_has_no_wrong_one_is_one_line():
    expected = r"^reward wrong-label: found the gold 'x\+1', allowed: a number, or a letter A to Z$"
    with pytest.raises(UserError, match=expected):
        pay("wrong-label", batch([box(5)], gold="x+1"))


@pytest.mark.parametrize("train", [policy_gradient.train, expert_iteration.train])
def test_such_a_gold_is_refused_before_anything_is_sampled(train):
    reward = {"kind": "mixture", "parts": {"w": {"reward": "wrong-label"}, "b": {"reward": "boxed"}}}
    settings = algorithm(kind="grpo", reward=reward)
    questions = [Question("a", "One?", "1", None), Question("b", "Two?", "x+1", None)]
    with pytest.raises(UserError, match="reward wrong-label: found the gold"):
        train(settings, None, None, questions, seed=0, state=None, stop=None, device=None)
    refuse_golds("executed", questions)


@pytest.mark.parametrize(
    ("text", "gold", "ignore_case", "expected"),
    [
        ("So \\boxed{Paris}.", "Paris", False, 1),
        ("\\boxed{Pairs}", "Paris", False, 0),  # an anagram
        ("\\boxed{paris}", "Paris", False, 0),
        ("\\boxed{paris}", "Paris", True, 1),
        ("\\boxed{5.0}", "5", False, 0),  # equal in value, not in writing
        ("The answer is: Rome.\nDone", "Rome", False, 1),
        ("Let us see.\nRome\n", "Rome", False, 1),
        ("\\boxed{Rome} and\nParis", "Paris", False, 0),  # a box comes first
        ("Lyon", "Paris\x1fLyon", False, 1),  # either of two golds
    ],
)
def test_exact(text, gold, ignore_case, expected):
    reward = {"kind": "exact", "ignore_case": ignore_case}
    assert pay(reward, batch([text], gold=gold)).tolist() == [expected]
    assert pay(reward, batch([text], gold=gold, finished=[False])).tolist() == [0]


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("\\boxed{B}", "B"),
        ("The answer is (b).", "B"),
        ("It is\nC) 12 pens", "C"),
        ("**D**", "D"),
        ("\\boxed{\\text{B}}", "B"),
        ("\\boxed{\\mathrm{(c)}}", "C"),
        ("\\boxed{\\text{Bob}}", None),
        ("Because", None),
        ("12", None),
        ("", None),
    ],
)
def test_the_letter_of_a_choice(text, letter):
    assert chosen(text) == letter
    for gold in "Bb":
        assert pay({"kind": "choice"}, batch([text], gold=gold)).tolist() == [letter == "B"]
    if letter:
        assert pay({"kind": "choice"}, batch([text, text], gold=letter)).tolist() == [1, 1]
        assert pay({"kind": "choice"}, batch([text], gold="E")).tolist() == [0]


def test_a_pattern_and_one_whose_group_must_be_a_gold():
    texts = ["<answer> 5 </answer>", "<answer>6</answer>", "5", "<answer>6</answer><answer>5</answer>"]
    assert pay({"kind": "regex", "pattern": "<answer>.*</answer>"}, batch(texts)).tolist() == [1, 1, 0, 1]
    named = {"kind": "regex", "pattern": "<answer>(?P<answer>.*?)</answer>"}
    assert pay(named, batch(texts)).tolist() == [1, 0, 0, 1]


def test_a_length_penalty_falls_in_a_straight_line():
    judged = replace(batch(["a"] * 5), lengths=[5, 10, 15, 20, 30])
    assert pay({"kind": "length", "free": 10, "full": 20}, judged).tolist() == [0, 0, -0.5, -1, -1]
    assert pay({"kind": "length", "full": 20}, judged).tolist() == [-0.25, -0.5, -0.75, -1, -1]


def test_a_mixture_adds_its_parts_up_and_keeps_each():
    reward = algorithm(
        kind="grpo",
        reward={
            "kind": "mixture",
            "parts": {
                "right": {"reward": "executed"},
                "box": {"weight": 0.5, "reward": "boxed"},
                "short": {"weight": 2, "reward": {"kind": "length", "full": 10}},
            },
        },
    ).reward
    judged = replace(batch([box(5), box(6), "nothing"]), lengths=[5, 0, 20])
    scores, parts = earned(reward, judged)
    assert {name: values.tolist() for name, values in parts.items()} == {
        "right": [1, 0, 0],
        "box": [1, 1, 0],
        "short": [-0.5, 0, -1],
    }
    assert scores.tolist() == [1 + 0.5 - 1, 0.5, -2]


def test_the_rule_whose_verdicts_are_kept_and_other_rules_beside_it():
    notebook = "<llm-code>\n5\n</llm-code>\n<llm-code-output>\n5\n</llm-code-output>\nSo \\boxed{6}."
    parts = {"box": {"reward": "boxed"}, "w": {"reward": "written"}, "e": {"reward": "executed"}}
    reward = algorithm(kind="grpo", reward={"kind": "mixture", "parts": parts}).reward
    assert rule_of(reward) == "written"
    assert [rule_of(name) for name in ("random", "authors", "executed")] == ["executed", "authors", "executed"]
    judged = batch([notebook])
    judged = replace(judged, rule="written", verdicts=verify_batch([notebook], ["5"], scorer="written"))
    assert {name: values.tolist() for name, values in earned(reward, judged)[1].items()} == {
        "box": [1],
        "w": [0],
        "e": [1],
    }
