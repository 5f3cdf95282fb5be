"""`python -m echochamber.verify`, as a person meets it."""

from __future__ import annotations

import json

import pytest

from echochamber.verify.__main__ import main

ROWS = [
    {"completion": "def simple_math_problem():\n    return 18", "gold": 18},
    {"completion": "So \\boxed{17}", "gold": "18", "finished": False},
    {"completion": "", "gold": "#### 3"},
]


def test_verdicts_and_a_summary(tmp_path, capsys) -> None:
    file = tmp_path / "asked.jsonl"
    file.write_text("\n\n".join(map(json.dumps, ROWS)))
    assert main([str(file)]) == 0
    out, err = capsys.readouterr()
    verdicts = [json.loads(line) for line in out.splitlines()]
    assert [(v["correct"], v["format"], v["status"], v["flags"]) for v in verdicts] == [
        (True, "tinygsm", "ok", []),
        (False, "omi2", "truncated", ["truncated"]),
        (False, "other", "no_answer", []),
    ]
    assert "3 completions, 33.3% correct" in err
    assert "truncated 1" in err
    assert "seccomp" in err
    assert main([str(file), "--truncated", "judged", "--scorer", "written"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[1])["answer"] == "17"


def test_a_file_for_the_verdicts_and_the_other_scorer(tmp_path, capsys) -> None:
    file, out = tmp_path / "asked.jsonl", tmp_path / "verdicts.jsonl"
    file.write_text(json.dumps({"completion": "by definition 18", "gold": 18}) + "\n")
    assert main([str(file), "--scorer", "authors", "--out", str(out)]) == 0
    assert json.loads(out.read_text())["format"] == "tinygsm"
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".part"] == []
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "asked.jsonl:1: found no JSON"),
        ('\n{"gold": 3}', "asked.jsonl:2: completion: found none, allowed: a string"),
        ('{"completion": "a", "gold": 1.5}', "asked.jsonl:1: gold: found 1.5, allowed: a string or an integer"),
        ('{"completion": "a", "gold": " "}', "asked.jsonl:1: gold: found ' ', allowed: an answer"),
        (None, "asked.jsonl: No such file or directory"),
    ],
)
def test_one_line_says_what_is_wrong(tmp_path, capsys, text: str | None, message: str) -> None:
    file = tmp_path / "asked.jsonl"
    if text is not None:
        file.write_text(text)
    assert main([str(file)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert err.count("\n") == 1
