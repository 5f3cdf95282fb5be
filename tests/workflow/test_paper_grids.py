"""config/released.yaml and config/paper.yaml, cut down, as a user with a network runs them: download, grid, report."""

import os
import signal
import subprocess
import time

import pandas as pd
import pytest
import released_hub
import stub_hub
import yaml
from workflow_grid import Grid

REPOSITORIES = [
    "rosieyzh/OLMo-150M-as_fm3_tg_omi1_omi2",
    "rosieyzh/OLMo-1B-as_fm3_tg_omi1_omi2",
    "rosieyzh/OLMo-150M-as_fm3_8xtg",
]
FIRST, LARGE, _ = REPOSITORIES
# The second is in several files.


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    root = tmp_path_factory.mktemp("hub")
    released_hub.fill(root, REPOSITORIES)
    with stub_hub.serve(root) as (address, handler):
        online = {"HF_ENDPOINT": address, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}
        yield root, handler, online | {"HF_HOME": str(root / ".cache")}


def written(folder, config):
    grid = Grid(folder, config["name"])
    grid.file.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return grid


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    return written(tmp_path_factory.mktemp("released"), released_hub.released())


def lines_about(text, what):
    return [line for line in text.splitlines() if what in line and "allowed:" in line]


def test_repositories_that_are_missing_or_gated_are_a_line_each_before_any_file(hub, released):
    root, handler, online = hub
    (root / LARGE).rename(root / "elsewhere")
    handler.gated.add(FIRST)
    handler.requests.clear()
    try:
        failed = released.snakemake("--", "download", environment=online)
    finally:
        handler.gated.clear()
        (root / "elsewhere").rename(root / LARGE)
    assert failed.returncode == 1
    assert "Traceback" not in failed.stdout
    (gated,) = lines_about(failed.stdout, FIRST)
    (missing,) = lines_about(failed.stdout, LARGE)
    assert "(GatedRepoError" in gated
    assert "HF_TOKEN" in gated
    assert "(RepositoryNotFoundError" in missing
    assert not [path for _, path, _ in handler.requests if "/resolve/" in path]


def test_an_interrupted_download_is_refused_and_goes_on_where_it_stopped(hub, released):
    """Within a file, too: tests/unit/data/test_fetching.py."""
    root, handler, online = hub
    folder = released.folder / "data" / FIRST
    handler.stall["model.safetensors"] = 10_000
    begun = subprocess.Popen(
        released.command("--", "download"),
        env=os.environ | online,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not (folder / "tokenizer.json").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    os.killpg(begun.pid, signal.SIGKILL)
    begun.wait()
    refused = released.snakemake()
    assert refused.returncode == 1
    (line,) = lines_about(refused.stdout, f"data/{FIRST}")
    assert "not model.safetensors" in line
    assert "snakemake download" in line

    handler.stall.clear()
    handler.requests.clear()
    done = released.snakemake("--", "download", environment=online)
    assert done.returncode == 0, done.stdout
    fetched = {
        path.split("/resolve/")[0] + "/" + path.rsplit("/", 1)[1] for _, path, _ in handler.requests if FIRST in path
    }
    assert f"/{FIRST}/model.safetensors" in fetched
    assert f"/{FIRST}/tokenizer.json" not in fetched
    for repository in REPOSITORIES:
        for file in (root / repository).iterdir():
            copy = released.folder / "data" / repository / file.name
            if file.name in ("README.md", "training_args.bin"):
                assert not copy.exists()
            else:
                assert copy.read_bytes() == file.read_bytes()


@pytest.fixture(scope="module")
def done(hub, released):
    _, _, online = hub
    fetched = released.snakemake("--", "download", environment=online)
    assert fetched.returncode == 0, fetched.stdout
    ran = released.snakemake()
    assert ran.returncode == 0, ran.stdout
    return released


def test_the_released_models_are_run_to_the_report(done):
    runs = [done.results / f"runs/imported/tg+omi1+omi2.{scale}/ppo/gsm8k/seed0" for scale in ("150m", "1b")]
    assert [len(pd.read_csv(run / "metrics.csv")) for run in runs] == [2, 2]
    page = (done.results / "report.html").read_text(encoding="utf-8")
    assert "does the winner depend on the size of the model?" in page
    assert "Are the released models the paper" in page
    assert {p.name for p in (done.results / "figures").glob("*.png")} == {
        "bases-150m-bases.png",
        "fig7-scales.png",
        "fig7-formats.png",
        "fig7-errors.png",
    }
    assert not (done.results / "tokenizer").exists()
    assert not (done.results / "corpora").exists()


def test_a_completion_ends_with_the_end_token_of_the_tokenizer(done):
    """Not with that of config.json, which the released models have from a file that says another one."""
    samples = pd.read_parquet(done.results / "evals/imported/8xtg.150m/gsm8k/samples.parquet")
    assert set(samples["tokens"]) <= set(range(1, 13))
    assert not samples["finished"].all()


def test_the_models_are_drawn_as_imported_beside_what_is_published(done):
    drawn = pd.read_csv(done.results / "figures/bases-150m-bases.csv")
    assert set(drawn["origin"]) == {"imported"}
    assert set(drawn["id"]) == {"imported/tg+omi1+omi2.150m", "imported/8xtg.150m"}
    caption = (done.results / "figures/bases-150m-bases.caption.txt").read_text(encoding="utf-8")
    assert "the released model, run by others" in caption


def test_the_papers_grid_is_run_to_the_report(hub, tmp_path):
    _, _, online = hub
    grid = written(tmp_path, released_hub.paper())
    fetched = grid.snakemake("--", "download", environment=online)
    assert fetched.returncode == 0, fetched.stdout
    assert not list((tmp_path / "data").glob("rosieyzh"))
    ran = grid.snakemake()
    assert ran.returncode == 0, ran.stdout
    page = (grid.results / "report.html").read_text(encoding="utf-8")
    assert "what does PPO do to a model that knows three formats?" in page
    assert {p.name for p in (grid.results / "figures").glob("*.png")} == {"fig2-formats.png", "fig2-passk.png"}
    claims = pd.read_csv(grid.results / "claims.csv")
    assert set(claims.loc[claims["study"] == "fig2", "claim"]) >= {"C1", "C2"}
    assert not set(claims["verdict"]) & {"holds", "fails"}
