"""Pretraining, midtraining, supervised fine-tuning and RL, each a job that starts from the files of the one before."""

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml
from safetensors.torch import load_file
from workflow_grid import Grid

TINY = Path(__file__).with_name("tiny.yaml")
CHAIN = "tg+omi2/femto/seed0+mid+sft"


def settings():
    config = yaml.safe_load(TINY.read_text(encoding="utf-8")) | {"name": "chain", "hardware": {"device": "CPU"}}
    config["mixtures"]["omi2"] = {"passes": {"omi2": 1}, "background": False}
    config["stages"] = {
        "mid": {"mixture": "omi2", "learning_rate": 1.0e-3},
        "sft": {"mixture": "omi2", "loss": "solution", "learning_rate": 1.0e-3, "warmup_steps": 1, "seed": 3},
    }
    config["algorithms"] = {"grpo": config["algorithms"]["grpo"]}
    study = config["studies"]["algorithms"] | {"algorithms": ["grpo"], "figures": ["formats"], "claims": []}
    config["studies"] = {"chain": study | {"stages": ["mid", "sft"]}, "plain": study}
    return config


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    grid = Grid(tmp_path_factory.mktemp("chain"), "chain")
    grid.file.write_text(yaml.safe_dump(settings()), encoding="utf-8")
    ran = grid.snakemake()
    assert ran.returncode == 0, ran.stdout
    return grid


def weights(grid, id):
    return load_file(sorted((grid.results / "models" / id / "checkpoints").iterdir())[-1] / "model.safetensors")


def specification(grid, folder):
    return json.loads((grid.results / folder / "provenance.json").read_text(encoding="utf-8"))["spec"]


def test_each_stage_starts_from_the_one_before(grid):
    base = "tg+omi2/femto/seed0"
    for before, after in ((base, f"{base}+mid"), (f"{base}+mid", CHAIN)):
        assert (
            specification(grid, f"models/{after}")["base"]["checkpoints"]
            == f"results/chain/models/{before}/checkpoints"
        )
        one, other = weights(grid, before), weights(grid, after)
        moved = max(float((one[name] - other[name]).abs().max()) for name in one)
        assert 0 < moved < 0.05  # a few steps of 1e-3, and no fresh weights
    run = specification(grid, f"runs/{CHAIN}/grpo/synth-gsm/seed0")
    assert run["base"]["checkpoints"] == f"results/chain/models/{CHAIN}/checkpoints"
    assert "base" not in specification(grid, f"models/{base}")


def test_both_chains_are_measured_and_reported(grid):
    runs = pd.read_csv(grid.results / "tables/runs.csv")
    assert set(runs[runs["kind"] == "model"]["id"]) == {CHAIN, "tg+omi2/femto/seed0"}
    assert set(runs["mixture"]) == {"tg+omi2"}
    assert (grid.results / "figures/chain-formats.png").exists()
    report = (grid.results / "report.html").read_text(encoding="utf-8")
    assert CHAIN in report
    planned = grid.snakemake("--", "plan")
    assert planned.returncode == 0, planned.stdout
    plan = pd.read_csv(grid.results / "plan.csv").set_index(["study", "stage"])
    assert plan.loc[("chain", "pretraining"), "jobs"] == 3
    assert plan.loc[("whole grid", "pretraining"), "jobs"] == 3


def test_a_change_of_a_stage_runs_what_hangs_on_it(grid):
    config = settings()
    config["stages"]["sft"]["learning_rate"] = 2.0e-3
    before = grid.file.read_text(encoding="utf-8")
    grid.file.write_text(yaml.safe_dump(config), encoding="utf-8")
    jobs = grid.to_do()
    grid.file.write_text(before, encoding="utf-8")
    assert (jobs["pretrain"], jobs["posttrain"], jobs["evaluate"], jobs["probe"]) == (1, 1, 2, 1)
    assert grid.to_do() == {}
