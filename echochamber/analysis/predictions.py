"""T1 held against runs: predicted and measured shares of formats on the RL prompts.

The prediction comes from the base model's samples on the prompts, question by question, averaged over questions; what
is measured is the end of the run's own rollouts, on the same prompts at the same sampling. Each run has the law that
belongs to its algorithm, and a reason where that law does not apply strictly: those rows are for comparison, and no
claim rests on them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from echochamber.analysis import theory
from echochamber.analysis.rl_prompts import Rollouts, Start
from echochamber.analysis.thresholds import thresholds
from echochamber.intervals import bca, question_intervals, resampling_weights
from echochamber.settings import FORMATS, Algorithm, ExpertIteration, PolicyGradient

COLUMNS = ("law", "beta", "strict", "reason", "measure", "format")
WRITTEN = thresholds()["T1"]["share"]
"""Errors are over formats with at least this share in the base model."""


@dataclass(frozen=True)
class Law:
    """Where an algorithm comes to rest."""

    name: str
    """`tilt` (KL in the reward, or k2 in the loss), `k3` (k3 in the loss), `limit` (right answers only)."""
    beta: float
    shares: Callable[[np.ndarray, np.ndarray], np.ndarray]
    """(written, right) of the base model, (questions, formats) each -> predicted shares."""
    reasons: tuple[str, ...]
    """Why it does not apply strictly; none: it does."""
    price: float | None = None
    """Reward that a nat of KL(pi || ref) costs in an objective that no policy at rest has below the base model's: the
    coefficient; in the loss over the largest gap of advantages. None: no such objective, or no KL of completions."""


def law(settings: Algorithm) -> Law | None:
    """The law of an algorithm; None where its reward is not whether the answer is right."""
    if settings.reward != "correct":
        return None
    limit = partial(theory.predicted_shares, beta=0)
    if isinstance(settings, ExpertIteration):
        reasons = ["duplicates are dropped"] if settings.drop_duplicates else []
        return Law("limit", 0.0, limit, tuple(reasons))
    if settings.kl.place == "none":
        return Law("limit", 0.0, limit, ("no KL: every policy that is right everywhere is an optimum",))
    beta = settings.kl.coefficient
    reasons = [text for text, applies in _deviations(settings) if applies]
    priced = settings.kl.level == "sequence"
    if settings.kl.place == "reward":
        price = beta if priced else None
        return Law("tilt", beta, partial(theory.predicted_shares, beta=beta), tuple(reasons), price)
    name = "k3" if settings.kl.estimator == "k3" else "tilt"
    price = None
    if settings.kind in ("ppo", "reinforce_baseline"):  # whitened: no gap is known beforehand
        shares = partial(theory.predicted_shares if name == "tilt" else theory.stationary_k3, beta=beta)
    else:
        gap = partial(theory.advantage_gap, group=settings.samples_per_prompt, kind=settings.kind)
        shares = partial(theory.with_gap(name, gap), beta=beta)
        price = beta / theory.largest_gap(gap) if name == "tilt" and priced else None
    return Law(name, beta, shares, tuple(reasons), price)


def _deviations(settings: PolicyGradient) -> list[tuple[str, bool]]:
    """(what is not as the law supposes, whether this algorithm does it)."""
    loss = settings.kl.place == "loss"
    updates = settings.update_passes * settings.prompts_per_batch * settings.samples_per_prompt
    return [
        ("KL per token", settings.kl.level != "sequence"),
        ("top_p below 1", settings.sampling.top_p < 1),
        ("short completions weigh more", settings.reduction == "sequence"),
        ("discounted", settings.kind == "ppo" and settings.gamma < 1),
        ("several updates a batch", loss and updates > settings.update_batch),
        ("advantages divided by the batch's spread", loss and settings.kind in ("ppo", "reinforce_baseline")),
    ]


def predictions(start: Start, rollouts: Rollouts, seed: int = 0) -> list[dict]:
    """Rows `COLUMNS`, estimate, low, high, n_questions, n_samples, n_seeds for one run; [] if no law speaks of it.

    measure: `base`, `predicted` (from the samples as they are), `bias` (what the number of samples still hides, see
    `theory.predict`), `corrected` (their sum), `measured`, each by format; `error`, the root mean square over formats
    of corrected - measured, and `movement`, how far the shares still move at the end of the run. Where the law has a
    price of KL(pi || ref): `objective`, mean reward minus that price times the KL at the end of the run, and
    `base_objective`, the base model's, which is its mean reward.
    """
    found = law(rollouts.settings)
    if found is None:
        return []
    answers = start.answers
    whole, bias = theory.predict(answers.format, answers.correct, len(FORMATS), found.shares)
    written = start.counts()[0] / answers.format.shape[1]
    measured = rollouts.end()
    corrected = whole + bias
    common = {"law": found.name, "beta": found.beta, "strict": not found.reasons, "reason": "; ".join(found.reasons)}
    common |= {"n_seeds": 1}
    base_size = {"n_questions": start.questions, "n_samples": start.drawn}
    by_format = {
        "base": (question_intervals(written), base_size),
        "predicted": (bca(whole), base_size),
        "bias": (bca(bias), base_size),
        "corrected": (bca(corrected), base_size),
        "measured": (
            np.stack([measured[key] for key in ("estimate", "low", "high")]),
            {key: measured[key] for key in ("n_questions", "n_samples")},
        ),
    }
    rows = [
        common | {"measure": measure, "format": name, "estimate": e, "low": a, "high": b} | size
        for measure, (numbers, size) in by_format.items()
        for name, (e, a, b) in zip(FORMATS, numbers.T, strict=True)
    ]
    error = error_interval(corrected, measured, written.mean(0) >= WRITTEN, seed)
    moved = {"estimate": rollouts.movement(), "low": np.nan, "high": np.nan}
    size = {key: measured[key] for key in ("n_questions", "n_samples")}
    rows.append(common | {"measure": "error", "format": None} | error | base_size)
    rows.append(common | {"measure": "movement", "format": None} | moved | size)
    if found.price is not None:
        (begun,) = question_intervals(answers.correct.mean(1)[:, None]).T
        began = dict(zip(("estimate", "low", "high"), begun, strict=True))
        ended = {"estimate": rollouts.objective(found.price), "low": np.nan, "high": np.nan}
        rows.append(common | {"measure": "base_objective", "format": None} | began | base_size)
        rows.append(common | {"measure": "objective", "format": None} | ended | size)
    return rows


def error_interval(corrected: np.ndarray, measured: dict, counted: np.ndarray, seed: int) -> dict[str, float]:
    """Root mean square error over the counted formats, with a percentile interval: estimate, low, high.

    corrected: (questions, formats). The questions of the prediction are resampled, and the measured shares vary by
    the multinomial error of as many prompts as were sampled. An error has no sign, so noise moves both ends up: the low
    one is above 0 even where the prediction is perfect.
    """
    questions = len(corrected)
    target, sampled = measured["estimate"], measured["n_questions"]

    def error(shares: np.ndarray, measured: np.ndarray) -> np.ndarray:
        return np.sqrt(((shares - measured)[..., counted] ** 2).mean(-1))

    weights = resampling_weights(questions)
    again = np.random.default_rng(seed).multinomial(sampled, target / target.sum(), size=len(weights)) / sampled
    estimate = error(corrected.mean(0), target)
    drawn = error(weights @ corrected / questions, again)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return {"estimate": float(estimate), "low": float(low), "high": float(high)}
