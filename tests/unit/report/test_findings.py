"""What is kept of a study gives the same verdicts and figures as the whole results do."""

from __future__ import annotations

from pathlib import Path

import fabricated
import pandas as pd
import pytest

from echochamber.analysis.claims import claims
from echochamber.analysis.tables import tables
from echochamber.formats import DEFAULT_RULE
from echochamber.report import findings, findings_page

STUDY = {
    "mixtures": ["tg+omi1+omi2"],
    "model_seeds": [0, 1, 2],
    "algorithms": ["grpo", "ppo"],
    "prompts": ["synth-gsm"],
    "figures": ["passk", "dynamics"],
    "claims": ["C1", "C2"],
}
OTHER = STUDY | {"model_seeds": [0, 1], "algorithms": ["grpo"], "figures": ["formats"], "claims": ["S3"]}
STEPS = (1, 32, 128)


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    grid = fabricated.grid(tmp_path_factory.mktemp("results"), one=STUDY, two=OTHER)
    raw = grid.file.model_dump() | {"primary": {name: {"study": "one", "algorithm": "ppo"} for name in ("C1", "C2")}}
    grid = type(grid)(type(grid.file).model_validate(raw), grid.paths.root.parent)
    fabricated.fabricate(grid, questions=30, steps=STEPS)
    return grid


def keep(grid, folder, study, seeds):
    for seed in seeds:
        findings.keep(grid, study, seed, folder, {"git_commit": "abc"})


def test_verdicts_of_kept_tables_are_those_of_the_whole_results(grid, tmp_path):
    keep(grid, tmp_path, "one", (0, 1, 2))
    keep(grid, tmp_path, "two", (0, 1))
    table = findings.judge(grid, tmp_path, tmp_path / "out")
    whole = claims.evaluate(grid, tables.build(grid))
    pd.testing.assert_frame_equal(table, whole)
    assert set(table.loc[table["claim"] == "C2", "verdict"]) >= {"exploratory"}
    assert (tmp_path / "out/claims.csv").exists()
    assert (tmp_path / "out/figures/one-passk.png").stat().st_size > 10_000
    assert not (tmp_path / "out/figures/one-dynamics.png").exists()
    assert "Unfinished" not in (tmp_path / "out/figures/one-passk.caption.txt").read_text()


def test_an_unfinished_study_has_figures_that_say_so_and_no_verdict(grid, tmp_path):
    keep(grid, tmp_path, "one", (0, 2))
    keep(grid, tmp_path, "two", (0, 1))
    assert findings.kept(grid, tmp_path) == {"one": (0, 2), "two": (0, 1)}
    table = findings.judge(grid, tmp_path, tmp_path / "out")
    assert set(table.loc[table["claim"].isin(["C1", "C2"]), "verdict"]) == {"not in this grid"}
    assert table.loc[table["claim"] == "S3", "n_seeds"].item() == 2
    assert "Unfinished: 2 of 3" in (tmp_path / "out/figures/one-passk.caption.txt").read_text()


def test_kept_tables_hold_no_texts_and_only_rows_of_runs(grid, tmp_path):
    keep(grid, tmp_path, "two", (0,))
    for path in (tmp_path / "two/seed0").glob("*.parquet"):
        table = pd.read_parquet(path)
        assert not {"completion", "question"} & set(table.columns)
        assert table["id"].notna().all()


def test_pooled_rows_of_kept_tables_are_those_of_the_whole_results(grid, tmp_path):
    keep(grid, tmp_path, "one", (0, 1, 2))
    pooled = findings_page.pooled(findings.read(grid, tmp_path, {"one": (0, 1, 2)}))
    whole = tables.build(findings.restricted(grid, {"one": (0, 1, 2)}))
    for name in ("gains", "decomposition", "coverage", "errors", "process"):
        expected, made = whole[name], pooled[name]
        if name == "gains":  # of greedy answers the default rule's alone are kept question by question
            expected = expected[(expected["metric"] == "pass_at_k") | (expected["scorer"] == DEFAULT_RULE)]
        assert (expected["n_seeds"] == 3).any()
        pd.testing.assert_frame_equal(made.reset_index(drop=True), expected.reset_index(drop=True), check_dtype=False)


def test_the_page_of_kept_tables_says_what_is_there_and_what_made_it(grid, tmp_path):
    record = {"git_commits": ["abc1"], "versions": ['{"torch": "2.13.0"}'], "processor": "2 x Test"}
    record |= {"seconds": {"pretraining": 10, "posttraining": 20}, "jobs": {"pretraining": 1, "posttraining": 2}}
    for seed in (0, 1):
        findings.keep(grid, "one", seed, tmp_path, record)
    judged = findings.judge(grid, tmp_path, tmp_path / "out")
    page = findings_page.write(Path("config/made-up.yaml"), grid, tmp_path, tmp_path / "out", judged).read_text()
    assert "only 2 of 3 pretraining seeds of one and nothing of two" in page
    assert "make findings GRID=config/made-up.yaml" in page
    assert 'id="completions"' not in page
    assert "abc1" in page
    assert "2 x Test" in page
    assert "pretraining 20 (2 jobs), RL 40 (4 jobs)" in page
    assert "data:image/png;base64," in page


def test_two_parts_with_other_answers_of_one_run_are_refused(grid, tmp_path):
    keep(grid, tmp_path, "one", (0,))
    keep(grid, tmp_path, "two", (0,))
    path = tmp_path / "two/seed0/per_question.parquet"
    rows = pd.read_parquet(path)
    rows.assign(majority=rows["majority"] * (1 + 1e-15)).to_parquet(path)
    assert len(findings.read(grid, tmp_path, {"one": (0,), "two": (0,)})["per_question"]) == 2 * len(rows)
    rows.assign(greedy=1 - rows["greedy"]).to_parquet(path)
    with pytest.raises(
        ValueError, match=r"found different answers of \S*seed0/grpo\S* in two parts, allowed: the same"
    ):
        findings.read(grid, tmp_path, {"one": (0,), "two": (0,)})


def test_parts_of_an_earlier_version_are_read_beside_those_of_today(grid, tmp_path):
    """They named the step that RL started from by its number, in `base_step`."""
    keep(grid, tmp_path, "one", (0, 1))
    expected = findings.read(grid, tmp_path, {"one": (0, 1)})
    renamed = []
    for path in (tmp_path / "one/seed0").glob("*.parquet"):
        rows = pd.read_parquet(path)
        if "start" in rows:
            renamed.append(path.stem)
            rows.rename(columns={"start": "base_step"}).assign(base_step=128).to_parquet(path)
    assert renamed
    for name, rows in findings.read(grid, tmp_path, {"one": (0, 1)}).items():
        pd.testing.assert_frame_equal(rows, expected[name])


def test_what_is_not_finished_or_not_there_is_said(grid, tmp_path):
    with pytest.raises(FileNotFoundError, match="found no kept study"):
        findings.judge(grid, tmp_path, tmp_path / "out")
    grid.paths.samples("tg+omi1+omi2/nano/seed1/ppo/synth-gsm/seed0", "synth-gsm").rename(tmp_path / "away")
    with pytest.raises(FileNotFoundError, match=r"allowed: the samples of .*seed1/ppo"):
        findings.keep(grid, "one", 1, tmp_path, {})
    assert not (tmp_path / "one").exists()
