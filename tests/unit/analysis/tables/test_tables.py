"""Tables against the samples on disk, counted again by hand."""

from __future__ import annotations

import re
import subprocess
import sys

import fabricated
import numpy as np
import pandas as pd
import pytest

from echochamber.analysis import samples
from echochamber.analysis.tables import tables
from echochamber.formats import FORMATS, RULES
from echochamber.grid.expansion import Grid
from echochamber.settings import GridFile

STUDY = {
    "mixtures": ["tg+omi1+omi2"],
    "model_seeds": [0, 1, 2],
    "algorithms": ["grpo", "ei"],
    "prompts": ["synth-gsm"],
    "benchmarks": ["synth-gsm", "synth-math"],
}
ONE_SET = {"benchmarks": ["synth-gsm"]}
RUN = "tg+omi1+omi2/nano/seed0/grpo/synth-gsm/seed0"
STEPS = (1, 8, 64)


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    grid = fabricated.grid(tmp_path_factory.mktemp("results"), one=STUDY)
    fabricated.fabricate(grid, questions=40, steps=STEPS)
    return grid


@pytest.fixture(scope="module")
def built(grid):
    return tables.build(grid)


def one(scores: pd.DataFrame, **where) -> pd.Series:
    for column, value in where.items():
        scores = scores[scores[column].isna() if value is None else (scores[column] == value)]
    assert len(scores) == 1, where
    return scores.iloc[0]


def test_scores_are_what_the_samples_say(grid, built):
    raw = pd.read_parquet(grid.paths.samples(RUN, "synth-gsm"))
    raw = raw[raw["step"] == 64]
    raw = raw.rename(columns={"correct_executed": "correct", "answer_key_executed": "answer_key"})
    drawn, greedy = raw[raw["mode"] == "sample"], raw[raw["mode"] == "greedy"]
    at = {"id": RUN, "question_set": "synth-gsm", "step": 64, "scorer": "executed"}
    assert one(built["scores"], **at, metric="greedy_accuracy").estimate == pytest.approx(greedy["correct"].mean())
    for name in FORMATS:
        inside = drawn[drawn["format"] == name]
        assert one(built["scores"], **at, metric="share", format=name).estimate == pytest.approx(
            len(inside) / len(drawn)
        )
        if len(inside):
            row = one(built["scores"], **at, metric="accuracy_within_format", format=name)
            assert row.estimate == pytest.approx(inside["correct"].mean())
            assert (row.n_samples, row.n_questions) == (len(inside), inside["question_id"].nunique())
    by_question = drawn.groupby("question_id")["correct"]
    assert one(built["scores"], **at, metric="pass_at_k", k=1).estimate == pytest.approx(drawn["correct"].mean())
    assert one(built["scores"], **at, metric="pass_at_k", k=16).estimate == pytest.approx(by_question.any().mean())
    votes = []
    for _, part in drawn.groupby("question_id"):
        counts = part["answer_key"].value_counts()
        top = counts.index[counts == counts.max()]
        right = part[part["correct"]]["answer_key"].unique()
        votes.append(sum(key in right for key in top) / len(top))
    assert one(built["scores"], **at, metric="majority_at_k", k=16).estimate == pytest.approx(np.mean(votes))
    row = one(built["scores"], **at, metric="majority_vote", k=16)
    assert set(votes) <= {0, 1} or row.estimate == pytest.approx(np.mean(votes), abs=sum(0 < v < 1 for v in votes) / 40)
    answers = drawn.groupby("question_id")["answer_key"]
    assert one(built["scores"], **at, metric="distinct_answers").estimate == pytest.approx(answers.nunique().mean())
    entropy = [-sum(p * np.log(p)) for p in (k.value_counts(normalize=True).to_numpy() for _, k in answers)]
    assert one(built["scores"], **at, metric="answer_entropy").estimate == pytest.approx(np.mean(entropy))
    assert one(built["scores"], **at, metric="completion_tokens").estimate == pytest.approx(drawn["tokens"].mean())
    row = one(built["scores"], **at, metric="share_truncated")
    assert row.estimate == pytest.approx((~drawn["finished"]).mean())
    assert row.n_samples == 40 * 16


def test_columns_and_what_one_row_is(built):
    scores = built["scores"]
    assert list(scores.columns) == list(tables.TABLES["scores"])
    key = ["id", "step", "question_set", "scorer", "metric", "k", "format"]
    assert not scores.duplicated(key).any()
    assert (scores["low"] <= scores["estimate"] + 1e-12).all()
    assert (scores["estimate"] <= scores["high"] + 1e-12).all()
    shares = scores[scores["metric"] == "share"].groupby(["id", "step", "question_set", "scorer"])["estimate"].sum()
    assert shares.to_numpy() == pytest.approx(1)  # every completion has a format
    assert set(scores["scorer"]) == {"executed", "written", "authors"}
    assert set(scores.loc[scores["metric"] == "majority_at_k", "scorer"]) == {"executed", "written", "authors"}


def test_step_0_is_the_base_model(built):
    scores = built["scores"].drop(columns=["algorithm", "prompts", "run_seed", "completions_sampled"])
    base = scores[scores["id"] == "tg+omi1+omi2/nano/seed0"].drop(columns=["id", "step"]).reset_index(drop=True)
    start = scores[(scores["id"] == RUN) & (scores["step"] == 0)].drop(columns=["id", "step"]).reset_index(drop=True)
    pd.testing.assert_frame_equal(base, start)


def test_a_run_from_an_earlier_step_starts_there(tmp_path):
    file = fabricated.grid_file(one=STUDY | {"model_seeds": [0], "algorithms": ["grpo"], "from_step": 200} | ONE_SET)
    grid = Grid(GridFile.model_validate(file | {"pretraining": {"checkpoints": [200]}}), tmp_path)
    fabricated.fabricate(grid, questions=20, steps=(1,))
    path = grid.paths.samples("tg+omi1+omi2/nano/seed0", "synth-gsm")
    late = pd.read_parquet(path)
    early = late.assign(step=200, **{f"correct_{rule}": False for rule in RULES})
    pd.concat([early, late]).to_parquet(path)
    built = tables.build(grid)
    at = {"question_set": "synth-gsm", "scorer": "executed", "metric": "greedy_accuracy"}
    run = "tg+omi1+omi2/nano/seed0+step200/grpo/synth-gsm/seed0"
    assert one(built["scores"], id=run, step=0, **at).estimate == 0
    assert (built["gains"]["start"] == "+step200").all()
    late.to_parquet(path)
    with pytest.raises(ValueError, match=r"found steps \[500\].*200"):
        tables.build(grid)


def test_runs_of_models_whose_last_steps_differ_are_pooled(grid, built):
    steps = [pd.read_parquet(grid.paths.samples(m.id, "synth-gsm"))["step"].max() for m in grid.trained_models.values()]
    assert steps == [500, 501, 502]
    for name in ("gains", "decomposition", "coverage", "errors", "process"):
        pooled = built[name][built[name]["id"].isna()]
        assert pooled["n_seeds"].max() == 3
        assert built[name]["start"].isna().all()
    at = {"algorithm": "grpo", "question_set": "synth-gsm", "scorer": "executed", "metric": "pass_at_k"}
    gains = built["gains"][np.logical_and.reduce([built["gains"][k] == v for k, v in at.items()])]
    assert one(gains, id=None).estimate == pytest.approx(gains.loc[gains["id"].notna(), "estimate"].mean())


def test_completions_sampled(built):
    x = built["scores"].drop_duplicates(["id", "step"]).set_index(["id", "step"])["completions_sampled"]
    assert x[(RUN, 0)] == 0
    assert x[(RUN, 64)] == 64 * 32 * 8
    assert x[(RUN.replace("grpo", "ei"), 2)] == 256 * 2 * 16  # from its metrics.csv
    assert np.isnan(x[("tg+omi1+omi2/nano/seed0", 500)])


def test_gains_are_paired_and_pooled_over_seeds(grid, built):
    def accuracy(id: str, step: int) -> pd.Series:
        raw = pd.read_parquet(grid.paths.samples(id, "synth-gsm"))
        raw = raw[(raw["step"] == step) & (raw["mode"] == "sample")]
        return raw.groupby("question_id")["correct_executed"].mean()

    gain = accuracy(RUN, 64) - accuracy("tg+omi1+omi2/nano/seed0", 500)
    at = {"algorithm": "grpo", "question_set": "synth-gsm", "scorer": "executed", "metric": "pass_at_k"}
    row = one(built["gains"], id=RUN, **at)
    assert row.estimate == pytest.approx(gain.mean())
    assert row.final - row.base == pytest.approx(gain.mean())
    assert row.low < row.estimate < row.high
    pooled = one(built["gains"], id=None, **at)
    single = built["gains"][(built["gains"]["metric"] == "pass_at_k") & (built["gains"]["algorithm"] == "grpo")]
    single = single[(single["question_set"] == "synth-gsm") & (single["scorer"] == "executed") & single["id"].notna()]
    assert pooled.n_seeds == len(single) == 3
    assert pooled.estimate == pytest.approx(single["estimate"].mean())
    assert list(built["gains"].columns) == list(tables.TABLES["gains"])


def test_parts_coverage_and_theory_of_each_run(built):
    for name in ("decomposition", "coverage", "theory"):
        assert list(built[name].columns) == list(tables.TABLES[name])
    gains = built["gains"]
    gains = gains[(gains["scorer"] == "executed") & (gains["metric"] == "pass_at_k") & gains["id"].notna()]
    gains = gains.set_index(["id", "question_set"])["estimate"]
    parts = built["decomposition"]
    sums = parts[parts["format"].notna() & parts["id"].notna()].groupby(["id", "question_set"])["estimate"].sum()
    assert sums.loc[gains.index].to_numpy() == pytest.approx(gains.to_numpy(), abs=1e-12)
    pooled = parts[parts["id"].isna() & (parts["part"] == "total")]
    assert len(pooled) == 4  # two algorithms, two question sets
    assert (pooled["n_seeds"] == 3).all()


def test_theory_is_held_against_the_rollouts_on_the_rl_prompts(grid, built):
    theory = built["theory"]
    assert set(theory["law"]) == {"k3", "limit"}
    assert not theory["strict"].any()
    assert set(theory.loc[theory["law"] == "limit", "reason"]) == {"duplicates are dropped"}
    sums = theory[theory["format"].notna()].groupby(["id", "measure"])["estimate"].sum().unstack()
    assert sums[["base", "predicted", "corrected", "measured"]].to_numpy() == pytest.approx(1)
    assert sums["bias"].to_numpy() == pytest.approx(0, abs=1e-12)
    at = {"id": RUN, "format": "omi1"}
    raw = pd.read_parquet(grid.paths.probe(grid.probe(grid.runs[RUN])))
    base = one(theory, measure="base", **at)
    assert base.estimate == pytest.approx((raw["format"] == "omi1").mean())
    assert (base.n_questions, base.n_samples) == (40, 320)
    log = pd.read_csv(grid.paths.job(grid.runs[RUN]) / "metrics.csv")
    measured = one(theory, measure="measured", **at)
    assert measured.estimate == pytest.approx(log["share_omi1"].iloc[-7:].mean())  # steps 58 to 64
    assert (measured.n_questions, measured.n_samples) == (7 * 32, 7 * 256)
    assert measured.low < measured.estimate < measured.high
    iterated = one(theory, measure="measured", id=RUN.replace("grpo", "ei"), format="omi1")
    assert (iterated.n_questions, iterated.n_samples) == (512, 4096)  # its last iteration, 8 samples a prompt
    moved = log[[f"share_{name}" for name in FORMATS]]
    far = (moved.iloc[-7:].mean() - moved.iloc[-13:-7].mean()).abs().sum() / 2  # steps 52 to 57
    assert one(theory, measure="movement", id=RUN).estimate == pytest.approx(far)
    both = theory[theory["id"] == RUN].pivot_table(index="format", columns="measure", values="estimate")
    counted = both[both["base"] >= 0.02]
    error = one(theory, measure="error", id=RUN)
    assert error.estimate == pytest.approx(((counted["corrected"] - counted["measured"]) ** 2).mean() ** 0.5)
    assert error.low <= error.estimate <= error.high


def test_training_holds_every_logged_row_with_its_axes(built):
    training = built["training"]
    assert len(training[training["id"] == RUN]) == 64
    row = training[(training["id"] == RUN) & (training["step"] == 3)].iloc[0]
    assert (row.mixture, row.scale, row.model_seed, row.algorithm, row.run_seed) == (
        "tg+omi1+omi2",
        "nano",
        0,
        "grpo",
        0,
    )
    models = training[training["id"] == "tg+omi1+omi2/nano/seed0"]
    assert models["loss"].tolist() == [3, 2, 1.5, 1.2, 1.1]
    assert models["algorithm"].isna().all()


def test_examples_show_the_same_questions_before_and_after(grid, built):
    shown = built["samples"][built["samples"]["id"] == RUN]
    by_stage = shown.groupby("stage")["question_id"].agg(set)
    assert by_stage["base"] == by_stage["final"]
    assert len(by_stage["base"]) == 2
    raw = pd.read_parquet(grid.paths.samples("tg+omi1+omi2/nano/seed0", "synth-gsm"))
    for _, row in shown[shown["stage"] == "base"].iterrows():
        here = raw[(raw["question_id"] == row.question_id) & (raw["mode"] == "sample")]
        same = here[here["format"] == row.format]
        assert row.share == pytest.approx(len(same) / len(here))
        assert row.completion == same.sort_values("sample")["completion"].iloc[0]
    assert shown["question"].str.startswith("Ann has").all()
    assert set(built["samples"]["question_set"]) == {"synth-gsm"}


def test_a_round_trip_through_csv_changes_nothing(built, tmp_path):
    tables.write(built, tmp_path)
    again = tables.read(tmp_path)
    assert set(again) == set(built)
    for name in built:
        left, right = built[name], again[name]
        assert list(left.columns) == list(right.columns)
        for column in left:
            a, b = left[column].astype(object), right[column].astype(object)
            assert ((a.reset_index(drop=True) == b) | (a.isna().reset_index(drop=True) & b.isna())).all(), (
                name,
                column,
            )


def test_flags_as_text_or_as_lists():
    for flags in (
        ["", "degenerate", "a,degenerate", "not_degenerate"],
        [[], ["degenerate"], ["a", "degenerate"], ["b"]],
    ):
        assert list(samples.has_flag(pd.Series(flags, dtype=object), "degenerate")) == [False, True, True, False]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="format"), "found no column format"),
        (lambda t: t.assign(format="haiku"), "format: found 'haiku', allowed: tinygsm"),
        (lambda t: t.iloc[:-1], "samples a question, allowed: one number"),
    ],
)
def test_unreadable_samples_are_refused_in_one_line(grid, tmp_path, change, message):
    table = pd.read_parquet(grid.paths.samples(RUN, "synth-gsm"))
    path = tmp_path / "samples.parquet"
    change(table).to_parquet(path)
    with pytest.raises(ValueError, match=message):
        samples.read(path)


def test_a_missing_evaluation_is_named(tmp_path):
    grid = fabricated.grid(tmp_path, one=STUDY)
    with pytest.raises(FileNotFoundError, match="allowed: the samples of tg"):
        tables.build(grid)


def test_tables_import_no_torch():
    code = "import sys, echochamber.analysis.tables.tables as t; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_log_that_is_not_there_is_an_error_and_no_missing_rows(tmp_path):
    grid = fabricated.grid(tmp_path, one=STUDY | ONE_SET | {"model_seeds": [0], "algorithms": ["grpo"]})
    fabricated.fabricate(grid, questions=4, steps=STEPS)
    log = grid.paths.job(grid.runs[RUN]) / "metrics.csv"
    log.unlink()
    with pytest.raises(FileNotFoundError, match=re.escape(f"{log}: found nothing")):
        tables.build(grid)
