"""Labels of completions: order, rest, marks, lengths, and what a slow or broken test does."""

import time

import numpy as np
import pytest

from echochamber.behaviours import labelling
from echochamber.behaviours.partition import Partition, of_labels, of_marks
from echochamber.behaviours.tests import Function, Pattern
from echochamber.errors import UserError

ENDLESS = Pattern(r"(a+)+$")
HOSTILE = "a" * 60 + "!"


def test_the_first_label_whose_test_holds_and_the_rest():
    partition = of_labels({"one": Pattern("a"), "two": Pattern("a|b")}, "rest")
    assert partition.labels == ("one", "two", "rest")
    assert labelling.label(partition, ["ab", "b", "c", "", "b"], "x") == (["one", "two", "rest", "rest", "two"], 0)


def test_a_completion_bears_every_mark_that_holds():
    one, two = of_marks({"one": Pattern("a"), "two": Pattern("(?i)B")})
    assert [(p.mark, p.labels) for p in (one, two)] == [("one", ("yes", "no")), ("two", ("yes", "no"))]
    assert labelling.label(one, ["ab", "b"], "x")[0] == ["yes", "no"]
    assert labelling.label(two, ["ab", "c"], "x")[0] == ["yes", "no"]


def test_a_pattern_without_end_is_cut_off_counted_and_the_others_are_labelled(monkeypatch):
    monkeypatch.setattr(labelling, "SECONDS", 0.05)
    began = time.process_time()
    partition = of_labels({"evil": ENDLESS}, "rest")
    assert labelling.label(partition, ["aaa", HOSTILE, HOSTILE, "aa"], "x") == (["evil", "rest", "rest", "evil"], 1)
    assert time.process_time() - began < 1.0


def test_too_many_slow_completions_end_the_job_in_one_line(monkeypatch):
    monkeypatch.setattr(labelling, "SECONDS", 0.01)
    texts = [HOSTILE + "!" * i for i in range(labelling.MOST)]
    with pytest.raises(
        UserError, match=r"^behaviours\.x: found 20 completions that take longer than 0\.01 s each, all"
    ):
        labelling.label(of_labels({"evil": ENDLESS}, "rest"), texts, "behaviours.x")


def test_only_the_beginning_of_an_endless_completion_is_looked_at(monkeypatch):
    monkeypatch.setattr(labelling, "LONGEST", 10)
    partition = of_labels({"end": Pattern("z")}, "rest")
    assert labelling.label(partition, ["a" * 9 + "z", "a" * 10 + "z"], "x")[0] == ["end", "rest"]


def test_the_signal_of_others_is_given_back():
    import signal

    before = signal.getsignal(signal.SIGPROF)
    labelling.label(of_labels({"a": Pattern("a")}, "rest"), ["a"], "x")
    assert signal.getsignal(signal.SIGPROF) == before
    assert signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0)


def test_quarters_are_of_the_base_model_and_a_border_belongs_to_the_shorter():
    quarters = Partition(("q1", "q2", "q3", "q4"), None)
    base = np.array([10, 20, 30, 40, 50])  # quartiles 20, 30, 40
    tokens = np.array([5, 20, 21, 30, 31, 40, 41, 900])
    assert labelling.by_length(quarters, tokens, base) == ["q1", "q1", "q2", "q2", "q3", "q3", "q4", "q4"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return 1", "own_tests:holds: found int, allowed: True or False for any text"),
        ("raise SystemExit(text)", "own_tests:holds: found SystemExit: abc, allowed: True or False for any text"),
        ("raise KeyError(text)", "own_tests:holds: found KeyError: 'abc', allowed: True or False for any text"),
    ],
)
def test_a_function_that_fails_ends_the_job_in_one_line(tmp_path, monkeypatch, body, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_tests.py").write_text(f"def holds(text):\n    {body}\n", encoding="utf-8")
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    monkeypatch.delitem(__import__("sys").modules, "own_tests", raising=False)
    (mark,) = of_marks({"m": Function("own_tests:holds")})
    with pytest.raises(UserError) as error:
        labelling.label(mark, ["abc"], "behaviours.b.marks.m")
    assert str(error.value) == f"behaviours.b.marks.m: {said}"


def test_a_function_that_catches_everything_is_stopped_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(labelling, "SECONDS", 0.05)
    source = "def holds(text):\n  try:\n    while True:\n      pass\n  except Exception:\n    return True\n"
    (tmp_path / "own_loop.py").write_text(source, encoding="utf-8")
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    (mark,) = of_marks({"m": Function("own_loop:holds")})
    assert labelling.label(mark, ["abc"], "x") == (["no"], 1)
