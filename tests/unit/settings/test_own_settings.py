"""Own data and prompts in a grid file: what is refused when it is read, in one line."""

import copy
from pathlib import Path

import pytest

from echochamber.grid import parsing

ROOT = Path(__file__).parents[3]
OWN = parsing.read(ROOT / "tests/workflow/own.yaml")


def refused(change):
    config = copy.deepcopy(OWN)
    change(config)
    with pytest.raises(parsing.GridError) as error:
        parsing.parse(config, "own.yaml")
    assert "\n" not in str(error.value)
    return str(error.value)


def test_the_grid_itself_is_read():
    grid = parsing.parse(copy.deepcopy(OWN), "own.yaml")
    assert grid.question_files == [("places", "test"), ("sums", "test"), ("sums", "train")]


@pytest.mark.parametrize(
    ("where", "value", "said"),
    [
        ("question_sets/sums/test", "sums/train.csv", "train: found 'sums/train.csv', which is test too"),
        ("question_sets/sums/answers", "text", "answers: found 'text', allowed: 'number', 'latex', 'choice', 'list'"),
        ("question_sets/sums/options", "of", "options: found 'of' with answers: number, allowed with answers: choice"),
        (
            "question_sets/sums/train",
            None,
            "prompts.sums.questions: found sums, which has no train split, allo",
        ),
        ("question_sets/places", {"kind": "local"}, "train, test: found neither, allowed: at least one of them"),
        ("question_sets/places", {"kind": "hub"}, "dataset, repository: found neither, allowed: one of them"),
        (
            "question_sets/places",
            {"kind": "hub", "dataset": "gsm8k", "question": "q"},
            "question: found ('q',), allowed with `repository` only",
        ),
        (
            "question_sets/places",
            {"kind": "hub", "repository": "a/b", "question": "q", "test": "test"},
            "answer: found nothing, allowed: columns of a/b",
        ),
        ("question_sets/places", {"kind": "hub", "repository": "ab"}, "repository: found 'ab', allowed: String should"),
        (
            "question_sets/sums",
            {"kind": "hub", "repository": "a/b", "question": "q", "answer": "a", "train": "test"},
            "train: found 'test', allowed: a split that is no test split",
        ),
        (
            "corpora/lessons/path",
            "sums/test.jsonl",
            "corpora.lessons.path: found 'sums/test.jsonl', which holds q",
        ),
        *(
            ("corpora/lessons/path", path, f"corpora.lessons.path: found '{path}', which holds question_sets.sums.test")
            for path in ("./sums/test.jsonl", "sums", "sums/", "sums/*.jsonl", "x/../sums/test.jsonl")
        ),
        (
            "corpora/lessons",
            {"kind": "hub", "repository": "a/b", "columns": "text", "split": "test"},
            "split: found 'test', allowed: any other, since documents would give a benchmark away",
        ),
        ("benchmarks/places/examples", {"count": 1}, "benchmarks.places.examples: found places, which has no train sp"),
        (
            "prompts/sums/examples",
            {"count": 1, "answer": "{solution}"},
            "prompts.sums.examples.answer: found {solution} with sums, allowed: {answer}, or a question set with a col",
        ),
        ("benchmarks/plain/chat", {}, "studies.trained: found a prompt with chat (sums) beside mixtures, allowed: imp"),
        ("benchmarks/places/template", "Letter:", "template: found 'Letter:', allowed: a text with {question} in it"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_is_allowed(where, value, said):
    def change(config):
        *path, key = where.split("/")
        for step in path:
            config = config[step]
        config[key] = value

    assert said in refused(change)


def test_prompts_stand_in_the_specs_of_all_jobs_that_ask_and_examples_in_what_they_read():
    grid = parsing.parse(copy.deepcopy(OWN), "own.yaml")
    (run,) = grid.runs.values()
    form = grid.posttrain_spec(run).form
    assert (form.chat.system, form.examples.count) == ("Be brief.", 1)
    spec = grid.evaluate_spec(run, "sums")
    assert (spec.settings.chat, spec.settings.examples) == (form.chat, form.examples)
    assert spec.examples == grid.probe_spec(grid.probe(run)).examples == "results/own/questions/sums/train.jsonl"
    assert grid.evaluate_spec(run, "places").examples == ""
    assert grid.questions_spec("sums", "train").solutions is False


def test_worked_solutions_are_kept_where_examples_show_them():
    config = copy.deepcopy(OWN)
    config["question_sets"]["sums"]["solution"] = "how"
    config["prompts"]["sums"]["examples"]["answer"] = "{solution}"
    grid = parsing.parse(config, "own.yaml")
    assert [grid.questions_spec("sums", split).solutions for split in ("train", "test")] == [True, False]
