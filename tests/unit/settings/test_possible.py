"""Figures and claims that a study cannot have by its settings are refused when the grid is read."""

from pathlib import Path

import fabricated
import pytest

from echochamber.grid import parsing
from echochamber.settings import CLAIMS, FIGURES, possible

CONFIG = Path(__file__).parents[3] / "config"
MIXED = {"mixtures": ["tg+omi1+omi2"]}
RUNS = MIXED | {"algorithms": ["ppo"], "prompts": ["synth-gsm"]}
MANY = ["tg", "2xtg", "4xtg", "tg+omi1+omi2"]

IMPOSSIBLE = {
    "a figure without runs": (MIXED | {"figures": ["formats"]}, "figures: found formats", "algorithms"),
    "a claim without runs": (MIXED | {"claims": ["C14"]}, "claims: found C14", "algorithms"),
    "nothing on its own questions": (
        RUNS | {"benchmarks": ["synth-math"], "figures": ["passk"]},
        "figures: found passk",
        "a benchmark on the question set of its prompts",
    ),
    "no ladder": (RUNS | {"figures": ["kl"]}, "figures: found kl", "differ in their KL coefficient alone"),
    "two that differ in more": (
        RUNS | {"algorithms": ["ppo", "grpo"], "claims": ["C3"]},
        "claims: found C3",
        "differ in their KL coefficient alone",
    ),
    "the course of pass@k": (
        RUNS | {"benchmarks": ["ends"], "claims": ["C2"]},
        "claims: found C2",
        "all checkpoints, with as many samples of each",
    ),
    "the course of formats": (RUNS | {"benchmarks": ["ends"], "claims": ["C1"]}, "found C1", "all checkpoints"),
    "no theory": (RUNS | {"algorithms": ["ei"], "figures": ["dynamics"]}, "figures: found dynamics", "theory"),
    "Expert Iteration alone": (RUNS | {"algorithms": ["ei"], "claims": ["C1"]}, "found C1", "policy-gradient"),
    "one mixture": (RUNS | {"claims": ["C6"]}, "found C6", "2 mixtures"),
    "three mixtures": (RUNS | {"mixtures": MANY[:3], "claims": ["S1"]}, "found S1", "4 mixtures"),
    "one scale": (RUNS | {"claims": ["C8"]}, "found C8", "2 scales"),
    "no GRPO": (RUNS | {"claims": ["C9"]}, "found C9", "grpo and ppo"),
    "no Expert Iteration": (RUNS | {"claims": ["C10"]}, "found C10", "expert_iteration and ppo"),
    "no transfer set": (RUNS | {"claims": ["C11"]}, "found C11", "role is transfer"),
    "no hard set": (RUNS | {"claims": ["C12"]}, "found C12", "role is hard"),
    "one set of prompts": (
        RUNS | {"benchmarks": ["synth-gsm", "synth-math"], "claims": ["C13"]},
        "found C13",
        "prompts of the transfer set, measured, and of an easy one",
    ),
    "one rule": (RUNS | {"algorithms": ["grpo", "grpo-kl.01"], "claims": ["S4"]}, "found S4", "rule of their reward"),
}


@pytest.mark.parametrize("study", IMPOSSIBLE)
def test_what_cannot_be_made_is_refused(study):
    settings, found, allowed = IMPOSSIBLE[study]
    with pytest.raises(parsing.GridError) as error:
        parsing.parse(fabricated.grid_file(one=settings), "my.yaml")
    (line,) = str(error.value).splitlines()
    assert line.startswith("my.yaml: studies.one.")
    assert found in line
    assert allowed in line.partition("allowed where the study has ")[2]


POSSIBLE = {
    "C3": {"algorithms": ["grpo", "grpo-kl.1"]},
    "C6": {"mixtures": ["tg", "2xtg"]},
    "C8": {"scales": ["pico", "nano"]},
    "C9": {"algorithms": ["ppo", "grpo"]},
    "C10": {"algorithms": ["ppo", "ei"]},
    "C11": {"benchmarks": ["synth-gsm", "synth-math"]},
    "C12": {"benchmarks": ["synth-gsm", "synth-hard"]},
    "C13": {"prompts": ["synth-gsm", "synth-math"], "benchmarks": ["synth-gsm", "synth-math"]},
    "S1": {"mixtures": MANY},
    "S2": {"mixtures": MANY},
    "S4": {"algorithms": ["grpo", "grpo-written"]},
}


@pytest.mark.parametrize("claim", CLAIMS)
def test_what_can_be_made_is_not(claim):
    study = RUNS | POSSIBLE.get(claim, {}) | {"claims": [claim]}
    assert parsing.parse(fabricated.grid_file(one=study), "my.yaml").file.studies["one"].claims == (claim,)


def test_every_figure_and_claim_says_what_it_needs():
    assert set(possible.FIGURES) == set(FIGURES)
    assert set(possible.CLAIMS) == set(CLAIMS)


def test_math_is_tested_by_math_500():
    """So that the paper's Table 7 can be judged: RL on MATH, measured on its own test split."""
    paper = parsing.load(CONFIG / "paper.yaml").file
    held = possible.Held(paper, paper.studies["table7"])
    assert held.own == ["math-500"]
