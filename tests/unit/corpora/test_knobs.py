"""What pulls share and accuracy apart in the embedded world: things to count, errors in one style."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from pydantic import ValidationError
from synthetic_reader import read
from synthetic_samples import THINGS, answer_of, question_set, split_document, texts

from echochamber.corpora import synthetic
from echochamber.settings import Problems


def test_questions_count_the_chosen_things_only_and_are_else_the_same():
    """A model that practises books instead of pens practises the same arithmetic in the same words."""

    def asked(thing: str) -> list[str]:
        set_of_60 = question_set(0, 60, problems={"things": [thing]})
        return [question.question for question in synthetic.questions(set_of_60, "q", "test")]

    assert all(set(re.findall(THINGS, question)) == {"pen"} for question in asked("pens"))
    assert [question.replace("pen", "book") for question in asked("pens")] == asked("books")
    assert set(re.findall(THINGS, " ".join(texts("omi2", problems={"things": ["cups", "toys"]})))) == {"cup", "toy"}


@pytest.mark.parametrize("things", [["apples"], ["pens", "pens"], ["beads"]])
def test_things_of_another_family_are_refused(things):
    allowed = "pens, cards, coins, books, toys, cups, each once"
    with pytest.raises(ValidationError, match=f"allowed with family gsm: {allowed}"):
        Problems(things=things)


def test_systematic_errors_in_one_style_make_the_other_right_more_often():
    """Double quotes always multiply where they should add (3 to 9: never right by accident); single quotes never do."""
    adding = {"operations": ["more", "buy"], "steps": [1, 1], "numbers": [3, 9]}
    documents = texts("tinygsm", 400, systematic=["more", "buy"], systematic_in="double_quotes", problems=adding)
    right = Counter()
    for text in documents:
        question, solution = split_document(text)
        right['"""' in solution, answer_of("tinygsm", solution) == read(question).answer] += 1
    assert right[True, True] == right[False, False] == 0
    assert min(right[True, False], right[False, True]) > 150
    for broken in ({"style": "omi2"}, {"systematic": []}):
        settings = {"kind": "synthetic", "style": "tinygsm", "documents": 1, "systematic": ["buy"]} | broken
        with pytest.raises(ValidationError, match="systematic_in: found double_quotes, allowed with style tinygsm"):
            synthetic.SyntheticSource(**settings, systematic_in="double_quotes")
