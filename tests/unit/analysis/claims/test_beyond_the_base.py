"""B1 and B2: what RL solves beyond its base model, by hand, by brute force, and in worlds whose truth is known."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from echochamber.analysis.claims import b2, verdicts
from echochamber.analysis.claims.thresholds import thresholds
from echochamber.analysis.claims.verdicts import Part
from echochamber.analysis.measured import Measured
from echochamber.formats import FORMATS

RULES = thresholds()
SAMPLES = 8


def model(right: np.ndarray, samples: int = SAMPLES) -> Measured:
    """A model with these right completions, (replicates, questions), all in one format and none by its steps."""
    share = right / samples
    by_format = np.zeros((*right.shape, len(FORMATS)))
    by_format[..., 0] = share
    unknown = np.full(right.shape, np.nan)
    seeds, questions = (tuple(range(n)) for n in right.shape)
    names = tuple(map(str, questions))
    return Measured(seeds, names, by_format * 0 + 1, by_format, share > 0, share, share, unknown, unknown)


def brute(first: int, second: int, samples: int) -> float:
    """The same by all ways to draw half of the base model's samples, and half of those after RL."""
    half = samples // 2
    base, after = (np.arange(samples) < right for right in (first, second))
    halves = [np.isin(np.arange(samples), chosen) for chosen in combinations(range(samples), half)]
    solved = np.mean([after[mine].any() for mine in halves])
    gained = np.mean([not base[mine].any() for mine in halves]) * solved
    by_chance = np.mean([not base[mine].any() and base[~mine].any() for mine in halves])
    return float(gained - by_chance)


@pytest.mark.parametrize(("first", "second"), [(0, 0), (0, 8), (1, 1), (1, 6), (4, 0), (3, 2), (8, 8)])
def test_what_is_solved_beyond_by_brute_force(first, second):
    value = b2.beyond(model(np.array([[first]])), model(np.array([[second]])), SAMPLES)
    assert value == pytest.approx(brute(first, second, SAMPLES))


def test_by_hand():
    """Never solved, always after: 1. Right once of 8: half of the draws miss it, and its other half has it: 0."""
    assert b2.beyond(model(np.array([[0]])), model(np.array([[8]])), SAMPLES).item() == 1
    assert b2.beyond(model(np.array([[1]])), model(np.array([[8]])), SAMPLES).item() == 0


def world(rng: np.random.Generator, new: float) -> tuple[Measured, Measured]:
    """Six base models on 200 questions of all difficulties; RL brings `new` of the questions from never to always."""
    chance = rng.beta(0.3, 1.0, size=200) * np.clip(rng.normal(1, 0.1, size=(6, 1)), 0, 1)
    first = rng.binomial(SAMPLES, chance)
    second = rng.binomial(SAMPLES, chance)
    brought = rng.random(200) < new
    first[:, brought], second[:, brought] = 0, SAMPLES
    return model(first), model(second)


def verdict(rng: np.random.Generator, new: float) -> tuple[str, float]:
    values = b2.beyond(*world(rng, new), SAMPLES)
    return verdicts.judge(Part("beyond", values, below=RULES["B2"]["beyond"]), RULES).verdict, float(values.mean())


def test_without_anything_new_nothing_is_beyond_and_on_the_edge_few_verdicts_are_wrong():
    rng = np.random.default_rng(0)
    same, edge, far = ([verdict(rng, new) for _ in range(200)] for new in (0.0, 0.05, 0.2))
    assert np.mean([mean for _, mean in same]) == pytest.approx(0, abs=0.002)
    assert [said for said, _ in same].count("holds") >= 195
    said = [said for said, _ in edge]
    assert said.count("holds") <= 12  # 2.5 % are due, 5 of 200
    assert said.count("fails") <= 12
    assert [said for said, _ in far].count("fails") >= 195
