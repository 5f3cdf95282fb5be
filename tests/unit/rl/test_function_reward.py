"""A reward function of the user's: imported when the grid is read, run in a process of its own."""

from __future__ import annotations

import os
import re

import pytest
from pydantic import ValidationError

from echochamber.algorithms import algorithm
from echochamber.algorithms.rewards import FunctionReward
from echochamber.errors import Interrupted, UserError
from echochamber.rl import function_reward
from echochamber.rl.function_reward import by_function

OWN = """
import os, subprocess, time
print("noise at import")
asked = []
def length(question, completion, golds):
    print("noise")
    asked.append(completion)
    return len(completion) + len(golds) + 100 * (question == "two?")
def calls(question, completion, golds):
    asked.append(completion)
    return len(asked)
def process(question, completion, golds):
    return os.getpid()
def broken(question, completion, golds):
    raise KeyError("a\\nb")
def word(question, completion, golds):
    return "much"
def slow(question, completion, golds):
    time.sleep(60)
def dies(question, completion, golds):
    os._exit(3)
def killed(question, completion, golds):
    os.kill(os.getpid(), 9)
class Odd:
    def __float__(self):
        raise RuntimeError("two elements")
    def __repr__(self):
        raise RuntimeError("no words")
def odd(question, completion, golds):
    return Odd()
def huge(question, completion, golds):
    return 10**400
def digits(question, completion, golds):
    return "0.5"
def wordy(question, completion, golds):
    raise ValueError("x" * 3_000_000)
def child(question, completion, golds):
    return len(subprocess.run(["cat"], capture_output=True).stdout)
def gold(question, completion, golds):
    return float(golds[0])
def nap(question, completion, golds):
    time.sleep(0.3)
    return 1
number = 5
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A name in the module of this test; each has a module of its own, so that none meets another's process."""
    module = f"own_{re.sub(r'[^a-z0-9]', '_', tmp_path.name.lower())}"
    (tmp_path / f"{module}.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(function_reward, "START_SECONDS", 30.0)
    function_reward._process.cache_clear()
    yield lambda name: f"{module}:{name}"
    function_reward._process.cache_clear()


def settings(name: str, **more) -> FunctionReward:
    return algorithm(kind="grpo", reward={"kind": "function", "name": name} | more).reward


def test_it_is_given_question_completion_and_golds_and_its_number_is_the_reward(own):
    rewards = by_function(settings(own("length")), ["one?", "two?"], ["abc", "a"], [["5"], ["5", "6"]])
    assert rewards == [3 + 1, 1 + 2 + 100]


def test_it_runs_in_another_process_and_equal_completions_are_asked_once(own):
    (pid,) = set(by_function(settings(own("process")), ["q"] * 2, ["a", "b"], [["5"]] * 2))
    assert pid != os.getpid()
    assert by_function(settings(own("calls")), ["q"] * 4, ["a", "b", "a", "a"], [["5"]] * 4) == [1, 2, 1, 1]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("broken", "found that it raised KeyError: 'a\\nb', allowed: a number"),
        ("word", "found that it returned 'much', allowed: a number"),
        ("odd", "found that it returned <Odd>, allowed: a number"),
        ("huge", f"found that it returned 1{'0' * 287}, allowed: a number"),
        ("digits", "found that it returned '0.5', allowed: a number"),
        ("wordy", f"found that it raised ValueError: {'x' * 278}, allowed: a number"),
        ("slow", "found no answer within 1 s, allowed: a number within that time"),
        ("dies", "found the end of its process (status 3), allowed: a number"),
        ("killed", "found the end of its process (signal 9), allowed: a number"),
    ],
)
def test_what_fails_is_one_line(own, name, said):
    with pytest.raises(UserError) as raised:
        by_function(settings(own(name), seconds=1), ["q"], ["some text"], [["5"]])
    assert str(raised.value) == f"reward function {own(name)}, completion 'some text' of 'q': {said}"


def test_what_it_starts_does_not_wait_for_our_requests(own):
    assert by_function(settings(own("child"), seconds=5), ["q"], ["a"], [["5"]]) == [0]


def test_a_question_that_stands_twice_with_other_golds_is_asked_twice(own):
    assert by_function(settings(own("gold")), ["q", "q"], ["a", "a"], [["1"], ["2"]]) == [1, 2]


def test_a_stop_is_heard_between_completions_and_while_one_is_waited_for(own):
    heard = []
    with pytest.raises(Interrupted):
        by_function(
            settings(own("nap")), ["q"] * 9, list("abcdefghi"), [["5"]] * 9, lambda: len(heard) > 2 or heard.append(1)
        )
    assert by_function(settings(own("nap")), ["q"], ["a"], [["5"]]) == [1]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("missing", "allowed: a function that own_"),
        ("number", ":number' is no function (int), allowed: module:function"),
    ],
)
def test_what_cannot_be_imported_is_refused_when_the_grid_is_read(own, name, said):
    with pytest.raises(ValidationError) as raised:
        settings(own(name))
    assert said in str(raised.value)


@pytest.mark.parametrize("name", ["no_such_module:f", "json.no_such:f", "json", "json:", "json:a.b", "../x:f"])
def test_names_that_are_none(name):
    with pytest.raises(ValidationError, match=r"name: found .*, allowed: "):
        settings(name)


def test_a_changed_file_is_another_spec_and_is_noticed_by_a_job_that_read_the_old_one(own, tmp_path):
    before = settings(own("length"))
    spec = before.model_dump(mode="json")
    assert FunctionReward.model_validate(spec) == before
    (file,) = tmp_path.glob("own_*.py")
    file.write_text(OWN + "# changed\n")
    assert settings(own("length")).sha256 != before.sha256
    with pytest.raises(ValidationError, match=r"own_.*\.py has changed since the grid was read"):
        FunctionReward.model_validate(spec)
