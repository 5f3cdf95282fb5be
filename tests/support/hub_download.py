"""A small grid of the paper's corpora, and the workflow's scripts with the hub at another address."""

import json
import os
import subprocess
import sys
from pathlib import Path

from echochamber.grid import parsing

ROOT = Path(__file__).parents[2]


def small_grid():
    config = parsing.read(ROOT / "config/paper.yaml")
    config["tokenizer"] = {"kind": "bpe", "vocabulary": 400}
    config["corpora"] = {name: config["corpora"][name] for name in ("tg", "omi1")}
    config |= {"background": [], "mixtures": {"both": {"passes": {"tg": 1, "omi1": 1}}}, "prompts": {}}
    config["primary"] = {}
    config["question_sets"] = {"gsm8k": config["question_sets"]["gsm8k"]}
    config["benchmarks"] = {"gsm8k": config["benchmarks"]["gsm8k"]}
    config["studies"] = {"s": {"title": "?", "mixtures": ["both"], "scales": ["150m"], "benchmarks": ["gsm8k"]}}
    return parsing.parse(config, "small.yaml")


def call(folder, address, script, spec, out, **environment):
    """The command and the environment of one of the workflow's scripts, with the hub at another address."""
    command = [
        sys.executable,
        str(ROOT / f"workflow_scripts/{script}.py"),
        "--spec",
        json.dumps(spec),
        "--out",
        str(out),
    ]
    home = {"HF_HOME": str(folder / "cache"), "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1", "HF_ENDPOINT": address}
    home["PYTHONPATH"] = str(ROOT)
    return command, os.environ | home | environment


def run(folder, *arguments, **environment):
    """One of the workflow's scripts, in a folder of its own."""
    command, environment = call(folder, *arguments, **environment)
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
