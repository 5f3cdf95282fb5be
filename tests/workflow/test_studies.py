"""Tables, figures and claims of a grid whose evaluations are done, and what a change makes run again."""

from __future__ import annotations

import json
import os
import re

import fabricated
import pandas as pd
import pytest
from workflow_grid import Grid

from echochamber.analysis.tables import tables
from echochamber.grid import expansion, parsing

STUDY = {
    "mixtures": ["tg+omi1+omi2"],
    "algorithms": ["grpo"],
    "prompts": ["synth-gsm"],
    "figures": ["formats"],
    "claims": ["C1"],
}
STUDIES = {"one": STUDY, "two": STUDY | {"run_seeds": [0, 1], "figures": ["passk"], "claims": []}}
LONG_AGO = 1.7e9
PRIMARY = {"C1": {"study": "one"}}


def write(folder: Grid, **studies: dict) -> None:
    raw = fabricated.grid_file(**studies) | {"name": folder.name, "primary": PRIMARY}
    folder.file.write_text(json.dumps(raw), encoding="utf-8")


def placeholders(grid: expansion.Grid) -> None:
    """Empty files in the place of what trainings and evaluations read."""
    paths, jobs = grid.paths, [grid.paths.job(job) for job in (*grid.models.values(), *grid.runs.values())]
    files = [paths.tokenizer / name for name in ("tokenizer.json", "tokenizer_config.json", "provenance.json")]
    files += [paths.corpus(source) / "manifest.json" for source in grid.corpora]
    files += [paths.mixture(mixture) for mixture in grid.mixtures]
    files += [job / name for job in jobs for name in ("checkpoints/config.json", "timings.csv", "provenance.json")]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("{}", encoding="utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Grid:
    folder = Grid(tmp_path_factory.mktemp("grid"), "made-up")
    write(folder, **STUDIES)
    grid = parsing.load(folder.file, folder.folder / "results")
    placeholders(grid)
    fabricated.fabricate(grid, questions=20, steps=(1, 4))
    for path in folder.results.rglob("*"):
        os.utime(path, (LONG_AGO, LONG_AGO))  # no training is newer than what it reads
    return folder


@pytest.fixture(scope="module")
def done(folder):
    ran = folder.snakemake()
    assert ran.returncode == 0, ran.stdout
    return ran


def test_every_evaluation_is_measured_once_and_every_study_joined(done, folder):
    words = {"measure": "Measuring .*", "join_study": "Tables of .*", "make_tables": "Tables", "figure": "Figure .*"}
    lines = {
        rule: re.findall(rf"^\[ *\d+/\d+\] {said} \(\d+:\d\d\)$", done.stdout, re.M) for rule, said in words.items()
    }
    assert {rule: len(some) for rule, some in lines.items()} == {
        "measure": 3,
        "join_study": 2,
        "make_tables": 1,
        "figure": 2,
    }
    assert folder.to_do() == {}


def test_the_console_has_a_line_a_job_and_the_log_file_the_rest(done, folder):
    jobs = [line for line in done.stdout.splitlines() if line.startswith("[")]
    assert jobs
    assert jobs[-1].startswith(f"[{len(jobs)}/{len(jobs)}] ")
    assert not re.search("Reason:|Select jobs|Finished jobid|Missing output", done.stdout)
    assert f"Report: {folder.results.relative_to(folder.folder) / 'report.html'}" in done.stdout
    (file,) = (folder.folder / ".snakemake/log").glob("*.log")
    log = file.read_text(encoding="utf-8")
    assert log.count("Finished jobid") == len(jobs)
    assert "Reason: Missing output files" in log


def equal(read: dict[str, pd.DataFrame], built: dict[str, pd.DataFrame]) -> None:
    """The same values; what is missing may be missing in another way."""
    assert set(read) == set(built)
    for name, table in built.items():
        left, right = (rows.astype(object).where(rows.notna(), None) for rows in (read[name], table))
        pd.testing.assert_frame_equal(left, right, check_dtype=False, check_exact=True)


def test_joined_tables_are_those_of_the_samples(done, folder):
    grid = parsing.load(folder.file, folder.folder / "results")
    equal(tables.read(folder.results / "tables"), tables.build(grid))
    read = tables.read(folder.results / "studies/two")
    equal(read, tables.build(expansion.Grid.of(grid.study_spec("two"))))
    assert set(read["runs"]["run_seed"].dropna()) == {0, 1}
    assert set(tables.read(folder.results / "studies/one")["runs"]["run_seed"].dropna()) == {0}


def test_a_new_figure_makes_nothing_else_run(done, folder):
    """But the verdicts, which name figures, and the report, which shows them."""
    write(folder, **STUDIES | {"two": STUDIES["two"] | {"figures": ["passk", "formats"]}})
    to_do = folder.to_do()
    write(folder, **STUDIES)
    assert to_do == {"figure": 1, "claims": 1, "write_report": 1, "all": 1}


def test_a_new_study_of_runs_that_are_there_makes_nothing_else_run(done, folder):
    """But what is of the whole grid."""
    write(folder, **STUDIES, three=STUDY | {"claims": []})
    to_do = folder.to_do()
    write(folder, **STUDIES)
    assert to_do == {"join_study": 1, "figure": 1, "make_tables": 1, "claims": 1, "write_report": 1, "all": 1}


def test_new_samples_of_a_run_change_its_studies_alone(done, folder):
    """The second RL seed is in one of the two studies; the other's figures and the claims stay."""
    grid = parsing.load(folder.file, folder.folder / "results")
    path = grid.paths.samples("tg+omi1+omi2/nano/seed0/grpo/synth-gsm/seed1", "synth-gsm")
    before = path.read_bytes()
    pd.read_parquet(path).assign(tokens=7).to_parquet(path)
    to_do = folder.to_do()
    assert to_do == {"measure": 1, "join_study": 1, "figure": 1, "make_tables": 1, "write_report": 1, "all": 1}
    path.write_bytes(before)
