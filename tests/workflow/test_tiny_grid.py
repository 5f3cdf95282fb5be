"""A tiny grid from nothing to the report, killed on the way; then what a change of it makes run again."""

import json
import os
import re
import signal
import subprocess
import time

import pandas as pd
import psutil
import pytest
import torch
from interruptible import interruptible
from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel
from workflow_grid import pretend_gpus

from echochamber.data.tokenizer import train_bpe
from echochamber.grid import parsing
from echochamber.grid.stages import SCRIPTS
from echochamber.jobs.inputs import sha256
from echochamber.settings import CLAIMS, PACKS


@pytest.fixture(scope="module")
def done(grid):
    """The finished grid: Snakemake is killed in the middle of a training job, then the same command is given again."""
    environment = os.environ | {"ECHO_DEVICE": "cpu", "HF_HUB_OFFLINE": "1"}
    first = subprocess.Popen(grid.command(), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 200
    while not list(grid.results.glob("state/**/ppo/**/spec.json")):
        assert first.poll() is None, "the first run ended by itself"
        assert time.monotonic() < end
        time.sleep(0.05)
    children = psutil.Process(first.pid).children(recursive=True)
    first.kill()
    first.wait()
    before = {path: path.stat().st_mtime_ns for path in grid.results.glob("corpora/*/manifest.json")}
    again = grid.snakemake("--printshellcmds")  # Snakemake's own talk
    assert again.returncode == 0, again.stdout
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert before
    assert not [child for child in children if child.is_running()]
    return again


def test_the_second_run_redoes_no_finished_job(done):
    rules = set(re.findall(r"Finished jobid: \d+ \(Rule: (\w+)\)", done.stdout))
    assert not rules & {"tokenizer", "corpus", "mixture", "pretrain"}
    assert {"posttrain", "evaluate", "measure", "join_study", "make_tables"} <= rules
    assert {"claims", "figure", "write_report"} <= rules


def test_then_nothing_is_to_be_done(done, grid):
    assert grid.to_do() == {}


def test_every_declared_file_is_there(done, grid):
    results = grid.results
    runs = parsing.load(grid.file).runs
    assert len(runs) == 3
    for id in runs:
        assert list((results / "runs" / id / "checkpoints").glob("step_*/model.safetensors"))
        assert len(pd.read_csv(results / "runs" / id / "metrics.csv")) == 2
        provenance = json.loads((results / "runs" / id / "provenance.json").read_text())
        assert provenance["spec"]["seed"] == 0
    for study_figure in ("algorithms-formats", "algorithms-passk"):
        assert all((results / f"figures/{study_figure}.{kind}").stat().st_size for kind in ("pdf", "png", "csv"))
    claims = {name for name in pd.read_csv(results / "claims.csv")["claim"] if "." not in name}
    assert claims == set(CLAIMS) - set(PACKS)


def test_every_stage_says_what_made_its_results(done, grid):
    """The judge, the search for contamination, behaviours, the forecast and printed tables are no part of this grid."""
    records = [json.loads(path.read_text()) for path in grid.results.glob("**/*provenance.json")]
    wanted = {script for scripts in SCRIPTS.values() for script in scripts}
    assert {record["stage"] for record in records} == wanted - {
        *("judge_errors", "find_questions", "show_contamination", "make_forecast", "typeset_figure"),
        *("label_evaluation", "join_behaviours", "forecast_behaviours"),
    }
    keys = {"spec", "code", "versions", "machine", "time", "git_commit", "seconds"}
    assert all(keys <= record.keys() and record["code"] for record in records)
    report = json.loads((grid.results / "report.provenance.json").read_text())
    claims = grid.results.relative_to(grid.folder) / "claims.csv"
    assert report["read"][str(claims)] == sha256(grid.folder / claims)


def test_samples_hold_what_they_promise(done, grid):
    samples = pd.concat(pd.read_parquet(path) for path in grid.results.glob("evals/**/samples.parquet"))
    assert list(samples.columns[:3]) == ["id", "step", "question_set"]
    assert set(samples["format"]) <= {"tinygsm", "omi1", "omi2", "text", "other"}
    counts = samples.groupby(["id", "step", "mode"]).size().unstack()
    assert (counts["greedy"] == 6).all()
    assert (counts["sample"] == 12).all()
    assert (samples["tokens"] <= 24).all()
    assert (samples["logprob"] <= 0).all()
    assert samples.loc[samples["mode"] == "greedy", "temperature"].isna().all()


def test_shares_sum_to_one(done, grid):
    scores = pd.read_csv(grid.results / "tables/scores.csv")
    shares = scores[(scores["metric"] == "share") & (scores["scorer"] == "executed")]
    sums = shares.groupby(["id", "step", "question_set"])["estimate"].sum()
    assert len(sums)
    assert (sums - 1).abs().max() < 1e-9


def test_the_report_is_one_page_that_loads_nothing(done, grid):
    page = (grid.results / "report.html").read_text(encoding="utf-8")
    assert "Does everything run?" in page
    assert not re.findall(r"""(?:src|href)=["']?(?!data:|#)[^"'\s>]+""", page)


def test_a_learning_rate_reruns_its_runs_and_what_hangs_on_them(done, grid):
    text = grid.file.read_text(encoding="utf-8")
    changed = grid.folder / "changed.yaml"
    changed.write_text(
        text.replace("    kind: grpo\n", "    kind: grpo\n    learning_rate: 2.0e-3\n"), encoding="utf-8"
    )
    to_do = grid.to_do("--configfile", str(changed))
    assert to_do == {
        "posttrain": 1,
        "evaluate": 1,
        "measure": 1,
        "join_study": 1,
        "make_tables": 1,
        "claims": 1,
        "figure": 2,
        "write_report": 1,
        "all": 1,
    }


def test_a_raised_stage_version_reruns_the_stage(done, grid):
    """The version is raised as an edit of stages.py would, in a module that Python imports at its start."""
    patch = grid.folder / "patch"
    patch.mkdir()
    (patch / "sitecustomize.py").write_text("import echochamber.grid.stages as s\ns.VERSIONS['evaluate'] += 1\n")
    to_do = grid.to_do(environment={"PYTHONPATH": str(patch)})
    assert to_do["evaluate"] == 4
    assert "posttrain" not in to_do
    assert "corpus" not in to_do


def test_a_job_that_fails_says_in_one_line_what_was_wrong_and_lets_the_others_finish(done, grid):
    few = "test: 500, seed: 4, problems: {steps: [1, 1], numbers: [2, 3], operations: [more]}"
    text = grid.file.read_text(encoding="utf-8").replace("test: 6, seed: 4", few)
    changed = grid.folder / "failing.yaml"
    changed.write_text(text.replace("name: tiny", "name: failing"), encoding="utf-8")
    failed = grid.snakemake("--keep-going", "--configfile", str(changed), "--until", "pretrain", "questions")
    assert failed.returncode == 1
    (line,) = [
        line for line in failed.stdout.splitlines() if line.startswith("make_questions results") and "test.log" in line
    ]
    assert "problems: found no question of the test split with steps [1, 1], numbers [2, 3]" in line
    assert "allowed: a wider distribution" in line
    assert "log: results/failing/logs/questions/synth-gsm/test.log" in line
    assert "Traceback" not in failed.stdout
    assert list((grid.folder / "results/failing/models").glob("**/metrics.csv"))


def test_a_grid_that_cannot_run_is_refused_before_any_job(grid):
    bad = grid.folder / "bad.yaml"
    bad.write_text(grid.file.read_text(encoding="utf-8").replace("heads: 2", "heads: 3"), encoding="utf-8")
    refused = grid.snakemake("--configfile", str(bad))
    assert refused.returncode == 1
    assert "scales.femto: heads: found 3, allowed: a divisor of the width 16" in refused.stdout
    assert "Traceback" not in refused.stdout


def test_a_grid_whose_data_are_nowhere_says_what_is_missing_before_any_job(grid):
    paper = parsing.__file__.replace("echochamber/grid/parsing.py", "config/paper.yaml")
    refused = grid.snakemake("--configfile", paper)
    assert refused.returncode == 1
    lines = [line for line in refused.stdout.splitlines() if "snakemake download" in line]
    assert [line.split(":")[0] for line in lines] == [
        *(f"corpora.{name}" for name in ("as", "fm3", "mmqa", "omi1", "omi2", "tg")),
        *(
            f"question_sets.{name}"
            for name in ("aime-1983-2024", "aime-2022-2024", "gsm8k", "gsm8k", "math", "math-500")
        ),
        "tokenizer.path",
    ]
    assert all("HF_HUB_OFFLINE is set" in line for line in lines)
    assert not (grid.folder / "results/paper").exists()


def test_a_plan_is_printed_each_time_and_makes_nothing_else(grid):
    changed = grid.folder / "planned.yaml"
    changed.write_text(grid.file.read_text(encoding="utf-8").replace("name: tiny", "name: planned"), encoding="utf-8")
    for _ in range(2):
        ran = grid.snakemake("--configfile", str(changed), "--", "plan")
        assert ran.returncode == 0, ran.stdout
        assert "whole grid" in ran.stdout
    made = {path.name for path in (grid.folder / "results/planned").iterdir()}
    assert made == {"plan.csv", "logs"}
    paper = parsing.__file__.replace("echochamber/grid/parsing.py", "config/paper.yaml")
    ran = grid.snakemake("--configfile", paper, "--", "plan")
    assert "GPU-hours" in ran.stdout, ran.stdout


def test_ctrl_c_leaves_a_grid_that_goes_on(done, grid):
    """An interrupt goes to the whole process group, as from a terminal."""
    text = grid.file.read_text(encoding="utf-8").replace("name: tiny", "name: interrupted")
    changed = grid.folder / "interrupted.yaml"
    changed.write_text(text, encoding="utf-8")
    command = grid.command("--configfile", str(changed), "--until", "corpus")
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=interruptible,
    )
    end = time.monotonic() + 100
    while not (grid.folder / "results/interrupted/logs").exists():
        assert time.monotonic() < end
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=60) != 0
    again = grid.snakemake("--configfile", str(changed), "--until", "corpus")
    assert again.returncode == 0, again.stdout


def test_a_model_that_the_grid_did_not_train_goes_the_whole_way(grid):
    """Another architecture, another tokenizer. Where it is nowhere, one line says so before any job."""
    config = parsing.read(grid.file) | {"name": "imported", "mixtures": {}, "scales": {}, "background": []}
    config["models"] = {"tiny": {"import": "someone/gpt2"}}
    study = {"title": "And an imported one?", "models": ["tiny"], "algorithms": ["grpo"], "prompts": ["synth-gsm"]}
    config["studies"] = {"imported": study | {"benchmarks": ["synth-gsm"], "figures": ["formats"]}}
    changed = grid.folder / "imported.yaml"
    changed.write_text(json.dumps(config), encoding="utf-8")
    refused = grid.snakemake("--configfile", str(changed))
    assert refused.returncode == 1
    assert "models.tiny.import: found no folder someone/gpt2 or data/someone/gpt2" in refused.stdout
    assert "Traceback" not in refused.stdout

    tokenizer = train_bpe(["Mia has 3 apples. She buys 4 more.\n\n3 + 4 = 7\nThe answer is 7"], 280)
    tokenizer.add_special_tokens({"eos_token": "<|endoftext|>"})
    tokenizer.pad_token = None
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(vocab_size=len(tokenizer), n_embd=16, n_layer=1, n_head=2, n_positions=512))
    for part in (model, tokenizer):
        part.save_pretrained(grid.folder / "someone/gpt2")
    ran = grid.snakemake("--configfile", str(changed))
    assert ran.returncode == 0, ran.stdout
    results = grid.folder / "results/imported"
    assert "And an imported one?" in (results / "report.html").read_text(encoding="utf-8")
    scores = pd.read_csv(results / "tables/scores.csv")
    assert set(scores["id"]) == {"imported/tiny", "imported/tiny/grpo/synth-gsm/seed0"}
    assert not (results / "models").exists()
    kept = next(results.glob("runs/imported/tiny/grpo/**/checkpoints/step_*"))
    assert json.loads((kept / "config.json").read_text(encoding="utf-8"))["model_type"] == "gpt2"
    assert AutoTokenizer.from_pretrained(kept).eos_token == "<|endoftext|>"

    # Its contents are in the specs: a touched file is the same one, one other byte is another model.
    weights = grid.folder / "someone/gpt2/model.safetensors"
    os.utime(weights)
    assert grid.to_do("--configfile", str(changed)) == {}
    data, status = weights.read_bytes(), weights.stat()
    weights.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    os.utime(weights, ns=(status.st_atime_ns, status.st_mtime_ns))
    to_do = grid.to_do("--configfile", str(changed))
    assert {"posttrain": 1, "evaluate": 2, "probe": 1}.items() <= to_do.items()
    weights.rename(weights.with_name("gone"))
    weights.with_name("gone").write_bytes(data)
    weights.with_name("gone").rename(weights)
    assert grid.to_do("--configfile", str(changed)) == {}


def test_status_counts_the_gpus_of_this_machine_and_needs_no_lock(done, grid):
    """`snakemake status`, on a machine with two pretend GPUs."""
    path = pretend_gpus(grid.folder, 2)
    # right after --configfile the target would be a file
    told = grid.snakemake("--nocolor", "--printshellcmds", "status", environment=path).stdout
    assert 'Provided resources: gpu=Resource("gpu", 2), gpu_percent=Resource("gpu_percent", 200)' in told
    assert re.search(r"tg\+omi2/femto/seed0/grpo/synth-gsm/seed0 +done +2 of 2 steps", told)
    assert re.search(r"tiny: 4 done; \d of \d evaluations done, \d of them measured", told)
