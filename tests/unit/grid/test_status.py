"""The table of runs, from files as jobs leave them behind."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from echochamber.grid import code_lock, parsing, status
from echochamber.grid.expansion import Grid
from echochamber.jobs import files
from echochamber.jobs.lock import sole_writer
from echochamber.models.checkpoint import start_afresh_unless_same

ROOT = Path(__file__).parents[3]
MODEL = "tg+omi2/femto/seed0"
PPO, GRPO, EI = (f"{MODEL}/{name}/synth-gsm/seed0" for name in ("ppo", "grpo", "ei"))


@pytest.fixture
def grid(tmp_path, monkeypatch) -> Grid:
    monkeypatch.setattr(code_lock, "undeclared", list)  # whatever is being edited
    return Grid(parsing.load(ROOT / "tests/workflow/tiny.yaml").file, tmp_path / "results")


def rows(grid: Grid) -> dict[str, dict]:
    return {row["id"]: row for row in status.table(grid).to_dict("records")}


def begun(grid: Grid, id: str, spec: dict, attempts: dict, progress: dict) -> Path:
    """A state folder as a job leaves it."""
    state = grid.paths.state(id)
    start_afresh_unless_same(state, spec)
    files.write_json(state / "attempts.json", attempts)
    files.write_json(state / "progress.json", progress)
    files.write_csv(state / "metrics.csv", pd.DataFrame(METRICS))
    return state


PROGRESS = {"unit": "step", "done": 40, "total": 100, "per_second": 2.0, "host": "n1"}
PROGRESS |= {"numbers": {"kl": 1.0}}
METRICS = {"step": [39, 40], "reward_mean": [0.1, 0.25], "share_omi2": [0.5, 0.9], "share_tinygsm": [0.5, 0.1]}
METRICS |= {f"share_{name}": [0.0, 0.0] for name in ("omi1", "text", "other")}


def test_a_grid_that_has_not_begun_waits(grid):
    assert [row["state"] for row in rows(grid).values()] == ["waiting"] * 4
    assert list(rows(grid)) == [MODEL, PPO, GRPO, EI]
    assert status.render(grid).splitlines()[-1] == "tiny: 4 waiting; 0 of 4 evaluations done, 0 of them measured"


def test_states_are_told_from_the_files(grid):
    out = grid.paths.job(grid.trained_models[MODEL])
    files.write_json(out / "provenance.json", {"spec": grid.pretrain_spec(grid.trained_models[MODEL]).canonical()})
    files.write_csv(out / "metrics.csv", pd.DataFrame({"step": [10, 20], "loss": [3.0, 1.5]}))
    specs = {id: grid.posttrain_spec(run).canonical() for id, run in grid.runs.items()}
    begun(grid, GRPO, specs[GRPO], {"interrupted": 2, "killed": 1}, PROGRESS)
    begun(grid, EI, specs[EI], {"failed": 1, "error": "step 3: the loss is nan"}, PROGRESS)
    with sole_writer(begun(grid, PPO, specs[PPO], {"running": True, "interrupted": 1}, PROGRESS)):
        found = rows(grid)
        assert {id: row["state"] for id, row in found.items()} == {
            MODEL: "done",
            PPO: "running",
            GRPO: "interrupted",
            EI: "failed",
        }
        page = status.render(grid)
    assert found[MODEL]["loss"] == 1.5
    running = found[PPO]
    assert (running["done"], running["total"], running["reward"], running["format"]) == (40, 100, 0.25, "omi2")
    assert running["seconds_left"] == 30  # 60 steps at 2 a second
    assert (found[GRPO]["restarts"], found[GRPO]["failures"]) == (2, 1)
    assert pd.isna(found[GRPO]["seconds_left"])
    line = next(line for line in page.splitlines() if line.startswith(PPO))
    assert line.split() == [PPO, "running", *["40", "of", "100", "steps", "0.250", "omi2", "2/s", "0:00:30", "1", "0"]]
    assert f"{EI}: step 3: the loss is nan" in page
    assert page.splitlines()[-2:] == [
        "tiny: 1 running, 1 failed, 1 interrupted, 1 done; 0 of 4 evaluations done, 0 of them measured",
        f"made by older code: 1 files, models/{MODEL}/provenance.json for one",  # it has no hash of code
    ]
    assert rows(grid)[PPO]["state"] == "interrupted"  # its process is gone


def test_what_belongs_to_an_earlier_grid_waits_to_be_made_again(grid):
    spec = grid.posttrain_spec(grid.runs[GRPO]).canonical() | {"seed": 7}
    files.write_json(grid.paths.job(grid.runs[GRPO]) / "provenance.json", {"spec": spec})
    begun(grid, GRPO, spec, {"interrupted": 2}, PROGRESS)
    assert rows(grid)[GRPO]["state"] == "waiting"


def test_the_best_share_of_the_last_row_names_the_format(grid):
    run = grid.runs[GRPO]
    files.write_json(grid.paths.job(run) / "provenance.json", {"spec": grid.posttrain_spec(run).canonical()})
    shares = {"share_tinygsm": [0.9, 0.2], "share_omi1": [0.1, 0.7], "share_omi2": [0, 0.1]}
    shares |= {"share_text": [0, 0], "share_other": [0, 0]}
    files.write_csv(grid.paths.job(run) / "metrics.csv", pd.DataFrame({"reward_mean": [0.1, 0.6], **shares}))
    assert (rows(grid)[GRPO]["reward"], rows(grid)[GRPO]["format"]) == (0.6, "omi1")


def test_the_script_says_what_is_wrong_with_a_grid_file(tmp_path):
    (tmp_path / "bad.yaml").write_text("name: x\n")
    command = [sys.executable, str(ROOT / "workflow_scripts/show_status.py"), "--grid", str(tmp_path / "bad.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "bad.yaml" in done.stderr


def test_the_script_prints_the_grid_of_a_spec(grid):
    command = [sys.executable, str(ROOT / "workflow_scripts/show_status.py"), "--spec"]
    spec = grid.grid_spec("plan").text()
    done = subprocess.run([*command, spec], capture_output=True, text=True, check=True)
    assert done.stdout == status.render(grid) + "\n"


def test_results_of_older_code_are_counted_and_changes_that_nobody_declared_named(grid, monkeypatch):
    change = code_lock.Change("echochamber/rl/losses.py", ("posttrain",), ())
    monkeypatch.setattr(code_lock, "undeclared", lambda: [change])
    assert "losses" not in status.render(grid)  # no result yet that it could have changed
    files.write_json(grid.paths.root / "claims.provenance.json", {"stage": "judge_claims", "code": "0" * 64})
    lines = status.render(grid).splitlines()
    assert lines[-2] == "made by older code: 1 files, claims.provenance.json for one"
    assert lines[-1].startswith("echochamber/rl/losses.py has changed, of posttrain (version ")
