"""What the page says of a study: its answer in numbers of the tables, differences from the paper, what went wrong."""

from __future__ import annotations

from pathlib import Path

import fabricated
import pandas as pd
import pytest

from echochamber.analysis.claims import claims
from echochamber.analysis.tables import tables
from echochamber.grid import parsing
from echochamber.jobs.files import write_json
from echochamber.report import study_sections
from echochamber.report.answers import answer
from echochamber.report.differences import differences
from echochamber.report.looks import looks, segments
from echochamber.report.numbers import interval, percents
from echochamber.report.troubles import troubles

ROOT = Path(__file__).parents[3]
STUDY = {
    "title": "Which?",
    "mixtures": ["tg+omi1+omi2"],
    "model_seeds": [0, 1, 2],
    "algorithms": ["grpo", "grpo-kl.1"],
    "prompts": ["synth-gsm"],
    "benchmarks": ["synth-gsm"],
    "claims": ["C3", "S3"],
}


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    grid = fabricated.grid(tmp_path_factory.mktemp("results"), kl=STUDY)
    fabricated.fabricate(grid, questions=15, steps=(1, 128))
    for job in (*grid.trained_models.values(), *grid.runs.values()):
        write_json(grid.paths.job(job) / "provenance.json", {"attempts": {"failed": 0, "killed": 0, "interrupted": 0}})
    return grid


@pytest.fixture(scope="module")
def built(grid):
    return tables.build(grid)


@pytest.fixture(scope="module")
def judged(grid, built):
    return claims.evaluate(grid, built)


def test_an_answer_is_that_of_the_tables(grid, built, judged):
    found = answer(grid, built, judged, "kl")
    assert [line.label for line in found.lines] == ["grpo", "grpo-kl.1"]
    line = found.lines[0]
    scores = built["scores"]
    rows = scores[(scores["algorithm"] == "grpo") & (scores["metric"] == "share") & (scores["scorer"] == "executed")]
    rows = rows[(rows["question_set"] == "synth-gsm") & (rows["format"] == line.winner)]
    assert line.winner == "tinygsm"
    assert line.after["tinygsm"] == pytest.approx(rows.loc[rows["step"] == 128, "estimate"].mean())
    assert line.before["tinygsm"] == pytest.approx(rows.loc[rows["step"] == 0, "estimate"].mean())
    assert line.replicates == 3
    assert len(line.ends) == len(line.gains) == 1
    gains = built["gains"]
    gains = gains[(gains["algorithm"] == "grpo") & gains["id"].notna() & (gains["metric"] == "greedy_accuracy")]
    gains = gains[gains["scorer"] == "executed"]
    assert line.gains[0][0] == pytest.approx(gains["estimate"].mean())
    assert line.gains[0][1] < line.gains[0][0] < line.gains[0][2]
    (ruling,) = [ruling for ruling in found.rulings if ruling.claim == "C3"]
    parts = judged[judged["claim"].str.startswith("C3.")]
    part = pd.concat([parts[parts["verdict"] == ruling.verdict], parts]).iloc[0]
    assert ruling.number == interval(part["estimate"], part["low"], part["high"])
    assert ruling.verdict == judged.loc[judged["claim"] == "C3", "verdict"].item()
    sentence = found.sentence()
    assert "\n" not in sentence
    assert all(words in sentence for words in ("grpo: tinygsm", line.share, line.gain, f"C3 {ruling.verdict}"))


def test_the_part_that_decides_stands_for_a_claim(grid, built, judged):
    """A failing claim shows the part that fails, not the first one, which may hold."""
    said = judged.copy()
    said.loc[said["claim"] == "C3", "verdict"] = "fails"
    said.loc[said["claim"] == "C3.1", "verdict"] = "holds"
    said.loc[said["claim"] == "C3.2", ["verdict", "estimate", "low", "high"]] = ["fails", 0.4, 0.3, 0.5]
    (ruling,) = [ruling for ruling in answer(grid, built, said, "kl").rulings if ruling.claim == "C3"]
    assert ruling.number == interval(0.4, 0.3, 0.5)
    assert ruling.metric == said.loc[said["claim"] == "C3.2", "metric"].item()
    said.loc[said["claim"].str.startswith("C3."), "verdict"] = "holds"
    said.loc[said["claim"] == "C3", "verdict"] = "inconclusive"  # by the correction
    (ruling,) = [ruling for ruling in answer(grid, built, said, "kl").rulings if ruling.claim == "C3"]
    assert ruling.metric == said.loc[said["claim"] == "C3.1", "metric"].item()


def test_few_replicates_are_told_one_by_one(grid, built, judged):
    raw = grid.file.model_dump()
    raw["studies"]["kl"] |= {"model_seeds": [0, 1], "claims": []}
    few = type(grid)(type(grid.file).model_validate(raw), grid.paths.root.parent)
    line = answer(few, built, judged, "kl").lines[0]
    assert (line.replicates, len(line.gains), line.gain.count(";")) == (2, 2, 1)


def test_numbers_in_words():
    assert percents(0.991, 0.97, 1.0) == "99\N{NO-BREAK SPACE}% [97, 100]"
    assert percents(0.5, float("nan"), float("nan")) == "50\N{NO-BREAK SPACE}%"


def test_a_stacked_bar_ends_where_its_shares_do():
    parts = segments({"tinygsm": 0.5, "omi1": 0.001, "omi2": 0.499}, 100)
    assert [part["format"] for part in parts] == ["tinygsm", "omi2"]
    assert parts[1]["x"] == pytest.approx(50.1)
    assert parts[1]["x"] + parts[1]["width"] == pytest.approx(100)


def test_formats_differ_in_colour_mark_and_hatching():
    for attribute in ("colour", "path", "hatch"):
        values = [getattr(look, attribute) for look in looks()]
        assert len(set(values)) == len(values)


def test_the_papers_own_grid_differs_in_nothing_that_its_studies_do_not_vary():
    grid = parsing.load(ROOT / "config/paper.yaml")
    found = {d.key for d in differences(grid, "fig2")}
    assert found == set()
    varied = {(d.key, d.here, d.paper) for d in differences(grid, "fig3")}
    assert varied == {
        ("KL penalty", "none", "0.001 (k1 in the reward)"),
        ("KL penalty", "0.01 (k1 in the reward)", "0.001 (k1 in the reward)"),
    }


def test_the_demos_differences_are_named_with_both_values():
    grid = parsing.load(ROOT / "config/demo.yaml")
    rows = {(d.where, d.key): (d.here, d.paper) for d in differences(grid, "algorithms")}
    assert rows["pretraining", "sequence_length"] == ("192", "2,048")
    assert rows["algorithms: ppo, grpo", "prompts_per_batch"] == ("32", "64")
    assert rows["benchmarks: practised", "samples"] == ("4", "64")
    assert rows["algorithms: ppo, grpo, ei", "reward"] == ("executed", "authors")


def test_what_went_wrong_is_what_jobs_left_behind(grid, built):
    assert troubles(grid, built, "kl") == []
    ids = list(grid.runs)
    write_json(grid.paths.job(grid.runs[ids[0]]) / "provenance.json", {"attempts": {"killed": 2, "interrupted": 1}})
    for id in ids[1:3]:
        (grid.paths.job(grid.runs[id]) / "provenance.json").unlink()
    error = "step 7: found gradient norm inf and KL 99 nats per token, allowed: finite"
    write_json(grid.paths.state(ids[1]) / "attempts.json", {"failed": 1, "error": error})
    training = built["training"]
    odd = (training["id"] == ids[3]) & (training["step"] >= 5)
    training = training.assign(audit_warning=odd.astype(float), verifier_timeouts=odd.astype(float))
    rows = {(t.id, t.kind): t.words for t in troubles(grid, built | {"training": training}, "kl")}
    assert rows[ids[0], "began again"].startswith("2 times killed, 1 time interrupted")
    assert rows[ids[1], "stopped with an error"] == error
    assert rows[ids[2], "missing"] == "not begun"
    assert rows[ids[3], "reward and right steps have parted"].startswith("since step 5")
    assert rows[ids[3], "verifier"] == "124 completions whose program ran out of time"
    assert len(rows) == 5


def test_primary_claims_stand_first_and_parts_behind_their_claim():
    rows = [("C1", False), ("C1.1", False), ("C2", True), ("C2.1", True)]
    table = pd.DataFrame([{"claim": claim, "primary": primary} for claim, primary in rows])
    groups = study_sections.grouped(table)
    assert [[row["claim"] for row in group] for group in groups] == [["C2", "C2.1"], ["C1", "C1.1"]]
