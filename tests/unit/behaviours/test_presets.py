"""Behaviours that ship with the project, on texts whose labels anybody would give them."""

import string

import pytest
from hostile_texts import TEXTS
from hypothesis import given
from hypothesis import strategies as st

from echochamber.behaviours import labelling
from echochamber.behaviours.presets import PRESETS
from echochamber.formats import BY_LABEL

PROGRAM = "def simple_math_problem() -> int:\n    '''\n    Ann has 3 pens.\n    '''\n    pens = 3 + 4\n    return pens"
NOTEBOOK = (
    "We add.\n<llm-code>\npens = 3 + 4\npens\n</llm-code>\n<llm-code-output>\n7\n</llm-code-output>\nSo \\boxed{7}."
)


def labels(preset, text, mark=None):
    (partition,) = [p for p in PRESETS[preset] if p.mark == mark]
    return partition.label(text)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        (PROGRAM, "code"),
        (NOTEBOOK, "both"),
        ("<llm-code>\nx = 3\nx\n</llm-code>\n<llm-code-output>\n3\n</llm-code-output>", "code"),
        ("```python\nprint(3)\n```", "code"),
        ("We print it:\n```python\nprint(3)\n```", "both"),
        ("She has 3 + 4 = 7 pens.", "prose"),
        ("#### 12", "other"),
        ("", "other"),
    ],
)
def test_code_or_prose(text, label):
    assert labels("code-or-prose", text) == label


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("She has three pens and then seven.", "english"),
        (PROGRAM, "english"),
        ("Sie hat drei Stifte und kauft vier, also ist das Ergebnis sieben.", "other-latin"),
        ("Le nombre de stylos est une somme.", "other-latin"),
        ("她一共有七支笔。", "chinese"),
        ("ペンは全部で七本あります", "japanese"),
        ("всего их семь", "cyrillic"),
        ("펜은 일곱 개입니다", "korean"),
        ("She has 七支笔一共有她笔", "mixed"),
        ("3 + 4 = 7", "other"),
        ("\\frac{3}{4}", "other"),
        ("ʬʬʬʬ", "mixed"),
    ],
)
def test_language(text, label):
    assert labels("language", text) == label


@pytest.mark.parametrize(
    ("text", "label"), [("So 7.", "other"), ("\\boxed{7}", "once"), ("\\boxed{7} or \\boxed{8}", "several")]
)
def test_boxed(text, label):
    assert labels("boxed", text) == label


@pytest.mark.parametrize(
    ("mark", "bears", "does_not"),
    [
        ("re-checking", "Let's double-check that: 3 + 4 = 7.", "She checks her bag."),
        ("re-checking", "To verify, we add them.", "He is verified."),
        ("back-tracking", "So 8. Wait, that is not right.", "They wait for the bus."),
        ("back-tracking", "I made a mistake above.", "The mistake cost 3 dollars."),
        ("sub-goals", "First, we find the pens.", "Ann was first in line."),
        ("sub-goals", "Step 1: add.", "Each step costs 1 dollar."),
        ("backward chaining", "To find the total, we need to know each share.", "She finds the total."),
        ("backward chaining", "Working backwards from 12, he had 4.", "He walked backward."),
    ],
)
def test_reasoning(mark, bears, does_not):
    assert labels("reasoning", bears, mark) == "yes"
    assert labels("reasoning", does_not, mark) == "no"


def test_formats_are_those_of_every_evaluation():
    assert labels("formats", PROGRAM) == "tinygsm"
    assert PRESETS["formats"][0].labels == tuple(BY_LABEL)


EVERY = [(name, partition) for name, partitions in PRESETS.items() for partition in partitions if partition.label]
ROWS = ("a ", "first, we ", "to find ", "```", "<llm-code>", "\\boxed{", "wait ", "let us ", "step 1\n", " \n", "=")


@pytest.mark.parametrize(("name", "partition"), EVERY, ids=lambda value: getattr(value, "mark", value))
def test_none_is_slow_on_any_text(name, partition):
    texts = [row * (labelling.LONGEST // len(row)) for row in ROWS] + list(TEXTS)
    given_labels, slow = labelling.label(partition, texts, name)
    assert slow == 0
    assert set(given_labels) <= set(partition.labels)


@given(st.text(alphabet=string.printable + "中éя\u202e\ud800"))
def test_any_text_has_one_label_of_each(text):
    for _, partition in EVERY:
        assert partition.label(text) in partition.labels
