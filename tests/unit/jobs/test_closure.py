"""Which modules a script runs, and what a change of one does to the hash of its code."""

import ast
import hashlib
import json
from pathlib import Path

import pytest

from echochamber.jobs import closure

ROOT = Path(__file__).parents[3]


@pytest.fixture
def package(tmp_path, monkeypatch):
    """script -> a -> (in a function) b; c is nobody's.

    b starts program.py, which has its modules in the folder walls, fills page.j2 and imports any of kinds by its name.
    """
    folder = tmp_path / "echochamber"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "a.py").write_text('"""Words."""\n\n# more\ndef f():\n    from echochamber import b\n    return b.X\n')
    (folder / "b.py").write_text(
        '"""Not echochamber.mentioned."""\nX = 1\nPROGRAM = "program.py"\nPAGE = "page.j2"\n'
        'def load(kind):\n    return __import__(f"echochamber.kinds.{kind}")\n'
    )
    (folder / "program.py").write_text('import sys\nsys.path.insert(0, "walls")\nimport inner\nprint(1)\n')
    (folder / "page.j2").write_text("hello")
    for name in ("mentioned.py", "walls/inner.py", "kinds/__init__.py", "kinds/one.py", "kinds/words.txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("X = 1\n")
    (folder / "c.py").write_text("X = 1\n")
    (tmp_path / "script.py").write_text("from echochamber.a import f\nf()\n")
    monkeypatch.setattr(closure, "PACKAGE", folder)
    return folder


def hash_now(package: Path) -> str:
    return closure.code_hash(package.parent / "script.py")


def test_the_closure_follows_imports_also_in_functions(package):
    names = [path.name for path in closure.modules(package.parent / "script.py")]
    assert sorted(names) == [
        *("__init__.py", "__init__.py", "a.py", "b.py", "inner.py", "one.py", "page.j2", "program.py", "script.py")
    ]


@pytest.mark.parametrize(
    ("file", "old", "new", "changes"),
    [
        ("b.py", "X = 1", "X = 2", True),
        ("c.py", "X = 1", "X = 2", False),
        ("a.py", "Words", "Other words", False),
        ("a.py", "# more", "# less\n", False),
        ("a.py", "return b.X", "return b.X + 1", True),
        ("a.py", "    return b.X", "    return (\n        b.X  # why\n    )", False),
        ("program.py", "print(1)", "print(2)", True),
        ("page.j2", "hello", "bye", True),
        ("walls/inner.py", "X = 1", "X = 2", True),
        ("kinds/one.py", "X = 1", "X = 2", True),
        ("kinds/words.txt", "X = 1", "X = 2", False),
        ("mentioned.py", "X = 1", "X = 2", False),
    ],
)
def test_code_changes_the_hash_and_words_do_not(package, file, old, new, changes):
    before = hash_now(package)
    text = (package / file).read_text()
    assert old in text
    (package / file).write_text(text.replace(old, new))
    assert (hash_now(package) != before) == changes


def test_the_real_scripts_reach_what_they_run():
    def names(script: str) -> set[str]:
        files = closure.modules(ROOT / f"workflow_scripts/{script}.py")
        return {file.relative_to(ROOT).as_posix() for file in files}

    assert {"echochamber/algorithms/grpo.py", "echochamber/verify/rules.py", "echochamber/grid/specs.py"} <= names(
        "posttrain"
    )
    assert {"echochamber/verify/symbolic_worker.py", "echochamber/verify/hardening/landlock.py"} <= names("posttrain")
    assert "echochamber/rl/rollout.py" not in names("pretrain")
    assert "echochamber/analysis/claims/claims.py" in names("judge_claims")
    assert "echochamber/figures/formats.py" in names("draw_figure")
    page = names("write_report")
    assert {f"echochamber/report/web/{name}" for name in ("report.html.j2", "report.css", "browser.js")} <= set(page)
    assert "echochamber/grid/stages.py" not in names("make_tables")
    measures = names("measure_evaluation")
    assert "echochamber/analysis/tables/coverage.py" in measures
    assert not [name for name in measures if "analysis/claims/" in name or "analysis/theory/" in name]


def test_what_is_remembered_is_of_the_file_as_it_is(package, monkeypatch):
    """Facts of settled files are read again from the disk, and not for a file that has changed since."""
    monkeypatch.setattr(closure, "FRESH_SECONDS", -1.0)
    monkeypatch.setattr("sys.dont_write_bytecode", False)
    before = hash_now(package)
    assert list((package / "__pycache__").glob("closure-*.json"))
    closure._Memory.kept.clear()  # as in another process
    with monkeypatch.context() as patch:
        patch.setattr(closure, "_facts", lambda file: pytest.fail(f"{file} is read again"))
        assert hash_now(package) == before
    (package / "b.py").write_text("X = 3\n")
    assert hash_now(package) != before


def test_every_python_makes_the_same_of_code():
    """Worked out by Python 3.11; 3.12 cuts the first f-string at its braces and ends the second one's format in ''."""
    text = "def f(x):\n    'words'\n    return f'a{{b}}{x:{x}}'\n"
    parts: list[str] = []
    closure._write(ast.parse(text), parts)
    assert hashlib.sha256("".join(parts).encode()).hexdigest()[:16] == "7a8fcbbfed4eb4c7"


def test_results_of_older_code_are_named(package):
    """One file of today's code, one of other code, one without a hash, one of a stage that is no more."""
    results = package.parent / "results"
    records = {
        "new": {"stage": "script", "code": hash_now(package)},
        "old": {"stage": "script", "code": "0" * 64},
        "unknown": {"stage": "script"},
        "gone": {"stage": "removed", "code": hash_now(package)},
    }
    for name, record in records.items():
        (results / name).mkdir(parents=True)
        (results / name / "samples.provenance.json").write_text(json.dumps(record))
    older = closure.made_by_older_code(results, scripts=package.parent)
    assert [file.parent.name for file in older] == ["gone", "old", "unknown"]
