"""Code that changes without a word fails here: raise the version of its stages, or `make accept-code`."""

import os
import subprocess

import pytest

from echochamber.grid import code_lock
from echochamber.grid.code_lock import Code, changes
from echochamber.grid.stages import SCRIPTS, VERSIONS
from echochamber.jobs import closure

ROOT = code_lock.ROOT


def test_the_code_is_what_was_accepted():
    if lines := list(map(str, code_lock.undeclared())):
        pytest.fail("\n".join(lines), pytrace=False)


def test_every_script_that_leaves_results_behind_is_of_a_stage():
    """The others print or start something; a script more must be put into SCRIPTS or here."""
    of_stages = {script for scripts in SCRIPTS.values() for script in scripts}
    others = {"download", "launch", "make_plan", "show_mixtures", "show_prompt", "show_status", "start", "register"}
    others |= {
        "keep_check",
        "keep_findings",
        "draw_findings",
        "write_report_now",
        "compare_grids",
        "show_answers",
        "publish",
    }
    assert {path.stem for path in (ROOT / "workflow_scripts").glob("*.py")} == of_stages | others
    assert set(SCRIPTS) <= set(VERSIONS)


def test_no_module_is_out_of_sight():
    """One that no script seems to run is dead, or is imported in a way that `jobs.closure` does not see."""
    scripts = (ROOT / "workflow_scripts").glob("*.py")
    seen = {name for script in scripts for name in closure.codes(script)}
    rules = (ROOT / "rules/common.smk").read_text(encoding="utf-8")
    for module in ("jobs/brief", "jobs/console", "grid/said"):  # of the rules alone: what Snakemake says
        seen.add(f"echochamber/{module}.py")
        assert f"{module.split('/')[1]}." in rules
    modules = {path.relative_to(ROOT).as_posix() for path in closure.PACKAGE.rglob("*.py")}
    assert {name for name in modules - seen if not name.endswith(("/__main__.py", *closure.NO_CODE))} == set()


BY_STAGE = {"posttrain": {"a/losses.py": "1", "a/shared.py": "2"}, "evaluate": {"a/shared.py": "2"}}
ACCEPTED = Code(
    {"a/losses.py": frozenset({"1"}), "a/shared.py": frozenset({"2"}), "a/gone.py": frozenset({"3"})},
    {"posttrain": 6, "evaluate": 3},
)


def changed(**codes):
    return {stage: {name: codes.get(name[2:-3], code) for name, code in of.items()} for stage, of in BY_STAGE.items()}


@pytest.mark.parametrize(
    ("codes", "versions", "asked"),
    [
        ({}, (6, 3), []),
        ({"losses": "9"}, (6, 3), [("a/losses.py", ("posttrain",))]),
        ({"losses": "9"}, (7, 3), [("a/losses.py", ())]),
        ({"shared": "9"}, (7, 3), [("a/shared.py", ("evaluate",))]),
        ({"shared": "9"}, (7, 4), [("a/shared.py", ())]),
        ({"shared": "9", "losses": "9"}, (6, 3), [("a/losses.py", ("posttrain",)), ("a/shared.py", tuple(BY_STAGE))]),
    ],
)
def test_a_change_asks_for_the_version_of_every_stage_that_runs_it(codes, versions, asked):
    raised = dict(zip(ACCEPTED.versions, versions, strict=True))
    assert [(change.module, change.stages) for change in changes(ACCEPTED, changed(**codes), raised)] == asked


def test_a_new_module_is_a_change_and_one_line_names_it_and_its_stages():
    by_stage = BY_STAGE | {"evaluate": {"a/shared.py": "2", "a/new.py": "5"}}
    (change,) = changes(ACCEPTED, by_stage, ACCEPTED.versions)
    line = str(change)
    assert line.startswith(f"a/new.py has changed, of evaluate (version {VERSIONS['evaluate']}): ")
    assert "make accept-code" in line
    assert "\n" not in line


def test_what_is_written_is_read_and_several_lines_of_a_module_count(tmp_path):
    code_lock.write(ACCEPTED, tmp_path / "code.lock")
    assert code_lock.read(tmp_path / "code.lock") == ACCEPTED
    with (tmp_path / "code.lock").open("a", encoding="utf-8") as lines:
        lines.write("a/losses.py 9\nposttrain 7\n")
    merged = code_lock.read(tmp_path / "code.lock")
    assert changes(merged, changed(losses="9"), merged.versions) == []
    assert changes(merged, changed(), merged.versions) == []
    assert merged.versions["posttrain"] == 7


def test_branches_that_change_neighbouring_modules_merge_without_a_conflict(tmp_path):
    """git itself, with the attributes of this repository."""

    def git(*arguments):
        who = {f"GIT_{one}_{what}": "a@b" for one in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True, capture_output=True, env=os.environ | who)

    def commit(code: dict[str, str]):
        modules = {name: frozenset({value}) for name, value in code.items()}
        code_lock.write(Code(modules, {}), tmp_path / "code.lock")
        git("add", "-A")
        git("commit", "-m", "code")

    (tmp_path / ".gitattributes").write_bytes((ROOT / ".gitattributes").read_bytes())
    git("init", "-b", "main")
    commit({"a/1.py": "1", "a/2.py": "1"})
    git("switch", "-c", "other")
    commit({"a/1.py": "2", "a/2.py": "1"})
    git("switch", "main")
    commit({"a/1.py": "1", "a/2.py": "2"})
    git("rebase", "other")
    merged = code_lock.read(tmp_path / "code.lock")
    assert changes(merged, {"report": {"a/1.py": "2", "a/2.py": "2"}}, {"report": 0}) == []
    assert changes(merged, {"report": {"a/1.py": "3", "a/2.py": "2"}}, {"report": 0})
