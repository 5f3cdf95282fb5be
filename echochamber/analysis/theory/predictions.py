"""T1 held against runs: predicted and measured shares of formats on the RL prompts.

The prediction comes from the base model's samples on the prompts, question by question, averaged over questions; what
is measured is the end of the run's own rollouts, on the same prompts at the same sampling. Each run has the law that
belongs to its algorithm, and a reason where that law does not apply strictly: those rows are for comparison, and no
claim rests on them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from echochamber.algorithms.theory import Theory
from echochamber.analysis.claims.thresholds import thresholds
from echochamber.analysis.rl_prompts import Rollouts, Start
from echochamber.analysis.theory import stationary
from echochamber.formats import FORMATS
from echochamber.settings import Algorithm, PolicyGradient
from echochamber.stats.columns import FORMAT, Column
from echochamber.stats.intervals import bca, question_intervals, resampling_weights

COLUMNS = (
    Column("law", "text", "`tilt`, `k3`, `limit` (of beta = 0), or `no prediction` (docs/theory.md)"),
    Column("beta", "number", "coefficient of the KL penalty"),
    Column("strict", "boolean", "the run is what the theory is of"),
    Column("reason", "text", "where it is not: in what"),
    Column("measure", "text", "which number, of those that `theory.predictions.predictions` names"),
    FORMAT,
)
NO_PREDICTION = "no prediction"
TRUNCATED = {
    "wrong": [],
    "judged": ["truncated completions can earn"],
    "mask": ["truncated completions are not learned from"],
    "penalise": ["long completions are penalised"],
}
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
    """The law of an algorithm; None where there is no theory of it, or it is not rewarded for right answers."""
    theory = settings.theory
    if settings.rule is None or theory is None:
        return None
    limit = partial(stationary.predicted_shares, beta=0)
    if theory.right_only:
        reasons = [*theory.deviations, *TRUNCATED[settings.truncated]]
        return Law("limit", 0.0, limit, tuple(reasons))
    if settings.kl.place == "none":
        return Law("limit", 0.0, limit, ("no KL: every policy that is right everywhere is an optimum",))
    beta = settings.kl.coefficient
    reasons = list(_deviations(settings, theory))
    priced = settings.kl.level == "sequence"
    if settings.kl.place == "reward":
        price = beta if priced else None
        return Law("tilt", beta, partial(stationary.predicted_shares, beta=beta), tuple(reasons), price)
    name = "k3" if settings.kl.estimator == "k3" else "tilt"
    price = None
    if theory.gap is None:
        shares = partial(stationary.predicted_shares if name == "tilt" else stationary.stationary_k3, beta=beta)
    else:
        shares = partial(stationary.with_gap(name, theory.gap), beta=beta)
        price = beta / stationary.largest_gap(theory.gap) if name == "tilt" and priced else None
    return Law(name, beta, shares, tuple(reasons), price)


def _deviations(settings: PolicyGradient, theory: Theory) -> Iterator[str]:
    """What is not as the law supposes."""
    loss = settings.kl.place == "loss"
    updates = settings.update_passes * settings.prompts_per_batch * settings.samples_per_prompt
    if settings.kl.level != "sequence":
        yield "KL per token"
    yield from TRUNCATED[settings.truncated]
    if settings.sampling.top_p < 1:
        yield "top_p below 1"
    if settings.reduction in ("sequence", "micro_batch_mean"):
        yield "short completions weigh more"
    yield from theory.deviations
    if loss and updates > settings.update_batch:
        yield "several updates a batch"
    if loss and theory.gap is None:
        yield "advantages divided by the batch's spread"


def predictions(start: Start, rollouts: Rollouts, seed: int = 0) -> list[dict]:
    """Rows `COLUMNS`, estimate, low, high, n_questions, n_samples, n_seeds of a run; [] if right answers earn nothing.

    measure: `base`, `predicted` (from the samples as they are), `bias` (what the number of samples still hides, see
    `stationary.predict`), `corrected` (their sum), `measured`, each by format; `error`, the root mean square over
    formats of corrected - measured, `error_base`, `error_limit` and `error_neighbour`, those of its nulls, and
    `movement`, how far the shares still move at the end of the run. Where the law has a price of KL(pi || ref):
    `objective`, mean reward minus that price times the KL at the end of the run, and `base_objective`, the base
    model's, which is its mean reward. An algorithm without a theory has the law `no prediction`, and only what was
    measured.
    """
    settings = rollouts.settings
    rests = law(settings)
    if settings.rule is None:
        return []
    measured = rollouts.end()
    written = start.counts()[0] / start.samples
    base_size = {"n_questions": start.questions, "n_samples": start.drawn}
    size = {key: measured[key] for key in ("n_questions", "n_samples")}
    at_end = np.stack([measured[key] for key in ("estimate", "low", "high")])
    moved = {"estimate": rollouts.movement(), "low": np.nan, "high": np.nan}
    if rests is None:
        common = {"law": NO_PREDICTION, "beta": np.nan, "strict": False, "reason": f"no theory of {settings.title}"}
        common |= {"n_seeds": 1}
        known = {"base": (question_intervals(written), base_size), "measured": (at_end, size)}
        return [*_by_format(common, known), common | {"measure": "movement", "format": None} | moved | size]
    predicted, bias = start.predict(rests.shares)
    corrected = predicted + bias
    common = {"law": rests.name, "beta": rests.beta, "strict": not rests.reasons, "reason": "; ".join(rests.reasons)}
    common |= {"n_seeds": 1}
    by_format = {
        "base": (question_intervals(written), base_size),
        "predicted": (bca(predicted), base_size),
        "bias": (bca(bias), base_size),
        "corrected": (bca(corrected), base_size),
        "measured": (at_end, size),
    }
    rows = _by_format(common, by_format)
    error = error_interval(corrected, measured, written.mean(0) >= WRITTEN, seed)
    rows.append(common | {"measure": "error", "format": None} | error | base_size)
    for name, foretold in _nulls(rests, start, written).items():
        null = error_interval(foretold, measured, written.mean(0) >= WRITTEN, seed)
        rows.append(common | {"measure": name, "format": None} | null | base_size)
    rows.append(common | {"measure": "movement", "format": None} | moved | size)
    if rests.price is not None:
        (begun,) = question_intervals(start.accuracy()[:, None]).T
        began = dict(zip(("estimate", "low", "high"), begun, strict=True))
        ended = {"estimate": rollouts.objective(rests.price), "low": np.nan, "high": np.nan}
        rows.append(common | {"measure": "base_objective", "format": None} | began | base_size)
        rows.append(common | {"measure": "objective", "format": None} | ended | size)
    return rows


def _by_format(common: dict, numbers: Mapping[str, tuple[np.ndarray, dict]]) -> list[dict]:
    """A row a measure and format. numbers: measure -> (estimate, low, high; by format) and the sizes."""
    return [
        common | {"measure": measure, "format": name, "estimate": e, "low": low, "high": high} | size
        for measure, (values, size) in numbers.items()
        for name, (e, low, high) in zip(FORMATS, values.T, strict=True)
    ]


def _nulls(law: Law, start: Start, written: np.ndarray) -> dict[str, np.ndarray]:
    """What a theory must beat, shares by question and format: an unmoved model, the limit, a neighbouring coefficient.

    The neighbour is among the coefficients that test the theory, the next smaller and the next larger one: whichever is
    nearer in log. Only for the law `tilt` at one of those coefficients.
    """
    ladder = sorted(thresholds()["T1"]["coefficients"])
    nulls = {"error_base": written}
    if law.name != "tilt" or not any(np.isclose(law.beta, b) for b in ladder):
        return nulls

    def foretold(beta: float) -> np.ndarray:
        predicted, bias = start.predict(partial(stationary.predicted_shares, beta=beta))
        return predicted + bias

    others = [b for b in ladder if not np.isclose(law.beta, b)]
    nearest = min(others, key=lambda b: abs(np.log(b / law.beta)))
    return nulls | {"error_limit": foretold(0.0), "error_neighbour": foretold(nearest)}


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
