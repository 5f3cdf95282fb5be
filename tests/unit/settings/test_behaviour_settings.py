"""Behaviours in a grid file: what is refused when it is read, in one line, before anything runs."""

import copy
from pathlib import Path

import pytest

from echochamber.behaviours.presets import PRESETS
from echochamber.grid import parsing

TINY = parsing.read(Path(__file__).parents[3] / "tests/workflow/tiny.yaml")


def parse(behaviours, /, **study):
    config = copy.deepcopy(TINY) | {"behaviours": behaviours}
    config["studies"]["algorithms"] |= study
    return parsing.parse(config, "tiny.yaml")


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        ({"preset": "reasonning"}, "behaviours.b.preset: found 'reasonning', allowed: 'formats', 'reasoning',"),
        ({}, "behaviours.b: found none of them, allowed: one of preset, labels, marks"),
        ({"labels": {}}, "behaviours.b: found none of them, allowed: one of preset, labels, marks"),
        ({"preset": "boxed", "marks": {"m": "x"}}, "behaviours.b: found preset and marks of them, allowed: one of"),
        (
            {"labels": {"l": "(a"}},
            "behaviours.b.labels: l: found '(a' (missing ), unterminated subpattern at position 0)",
        ),
        (
            {"marks": {"m": "*"}},
            "behaviours.b.marks: m: found '*' (nothing to repeat at position 0), allowed: a pattern",
        ),
        ({"labels": {"other": "x"}}, "behaviours.b: labels: found 'other', which is the rest, allowed: other names"),
        ({"preset": "boxed", "rest": "r"}, "behaviours.b: rest: found 'r' without labels, allowed: beside labels"),
        ({"labels": {"a/b": "x"}}, "behaviours.b.labels: found the name 'a/b', allowed:"),
        ({"marks": {"m": {"function": "nowhere"}}}, "behaviours.b.marks.m"),
        (
            {"marks": {"m": {"function": "no_such_module:f"}}},
            "behaviours.b.marks.m.function: found 'no_such_module:f', allowed: module:function of no_such_module.py i",
        ),
        (
            {"labels": {"l": {"function": "json.decoder:no_such"}}},
            "behaviours.b.labels.l.function: found 'json.decoder:no_such', allowed: a function that ",
        ),
        ({"label": {"a": "x"}}, "behaviours.b.label: unknown key, allowed: labels, marks, preset, rest"),
    ],
)
def test_one_line_says_where_and_what_is_allowed(behaviour, said):
    with pytest.raises(parsing.GridError) as error:
        parse({"b": behaviour})
    lines = str(error.value).splitlines()
    assert any(line.startswith(f"tiny.yaml: {said}") for line in lines), lines


@pytest.mark.parametrize(
    ("behaviours", "study", "said"),
    [
        ({}, {"behaviours": ["x"]}, "studies.algorithms.behaviours: found 'x', allowed: nothing (none is defined)"),
        (
            {},
            {"figures": ["behaviours"]},
            "studies.algorithms.figures: found behaviours, allowed where the study has beh",
        ),
        (
            {"b": {"preset": "boxed"}},
            {"figures": ["amplified"], "behaviours": []},
            "studies.algorithms.figures: found amplified, allowed where the study has behaviours",
        ),
        (
            {"b": {"preset": "boxed"}, "B": {"preset": "boxed"}},
            {},
            "behaviours: found 'B' beside 'b', allowed: names that differ by more",
        ),
    ],
)
def test_studies_show_what_there_is(behaviours, study, said):
    with pytest.raises(parsing.GridError) as error:
        parse(behaviours, **study)
    assert str(error.value).startswith(f"tiny.yaml: {said}")


def test_presets_need_no_more_than_their_name():
    grid = parse({name: {"preset": name} for name in PRESETS}, figures=["behaviours", "amplified"])
    assert grid.behaviours("algorithms") == list(PRESETS)
    assert [len(b.partitions()) for b in grid.file.behaviours.values()] == [1, 4, 1, 1, 1, 1]


def test_a_function_is_looked_up_and_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "careful.py").write_text(
        "raise SystemExit('run')\n\ndef holds(text):\n    return True\n", encoding="utf-8"
    )
    grid = parse({"b": {"marks": {"m": {"function": "careful:holds"}}}})
    assert grid.file.behaviours["b"].functions() == {"marks.m.function": "careful:holds"}


def test_no_other_stage_and_no_other_grid_hears_of_behaviours():
    plain = parsing.parse(copy.deepcopy(TINY), "tiny.yaml")
    grid = parse(
        {"b": {"preset": "boxed"}, "c": {"preset": "language"}}, behaviours=["c"], figures=["formats", "behaviours"]
    )
    for id, benchmark in grid.evaluations:
        job = grid.evaluations[id, benchmark]
        assert grid.measure_spec(job, benchmark) == plain.measure_spec(job, benchmark)
        assert grid.evaluate_spec(job, benchmark) == plain.evaluate_spec(job, benchmark)
    assert grid.study_spec("algorithms").text() == plain.study_spec("algorithms").text()
    assert grid.grid_spec("forecast").text() == plain.grid_spec("forecast").text()
    assert grid.figure_spec("algorithms", "formats").text() == plain.figure_spec("algorithms", "formats").text()
    assert "behaviours" not in grid.grid_spec("claims").text()
    assert list(grid.behaviours_spec("algorithms").grid.behaviours) == ["c"]
    assert list(grid.figure_spec("algorithms", "behaviours").grid.behaviours) == ["c"]
    assert "behaviours" not in plain.grid_spec("report").text()
