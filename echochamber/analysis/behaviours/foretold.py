"""The laws of theory held against a run, label by label, on held-out questions.

As for formats (`theory.predictions`), but from the base model's samples on the questions that are measured, not on the
RL prompts, whose rollouts are not kept as text: what is foretold supposes besides that held-out questions go as the
trained ones do.
"""

from __future__ import annotations

import numpy as np

from echochamber.analysis.rl_prompts import Start
from echochamber.analysis.samples import Answers
from echochamber.analysis.theory.predictions import NO_PREDICTION, WRITTEN, error_interval, law
from echochamber.evaluation.labels import Kind
from echochamber.settings import Algorithm
from echochamber.stats.intervals import bca, question_intervals


def foretold(before: Answers, after: Answers, kind: Kind, settings: Algorithm) -> tuple[list[dict], list[dict]]:
    """Rows of `behaviour_theory` from `law` on, and of `behaviour_picks` from `predictor` on.

    before, after: the sampled answers of base model and run, whose `format` is an index into the labels of the kind.
    """
    labels = kind.labels
    start = Start.of(before, len(labels))
    ended = Start.of(after, len(labels))
    base = start.counts()[0] / start.samples
    measured = ended.counts()[0] / ended.samples
    sizes = {"base": start, "foretold": start, "measured": ended}
    intervals = {"base": question_intervals(base), "measured": question_intervals(measured)}
    rests = law(settings)
    common: dict = {"law": NO_PREDICTION, "beta": np.nan, "strict": False, "reason": f"no theory of {settings.title}"}
    rows, corrected = [], None
    if rests is not None:
        predicted, bias = start.predict(rests.shares)
        corrected = predicted + (0.0 if np.isnan(bias).any() else bias)  # one sample a question has no halves
        intervals["foretold"] = bca(corrected)
        common = {"law": rests.name, "beta": rests.beta, "strict": not rests.reasons}
        common |= {"reason": "; ".join(rests.reasons)}
    for measure in ("base", "foretold", "measured"):
        for name, (estimate, low, high) in zip(labels, intervals.get(measure, np.empty((3, 0))).T, strict=False):
            size = {"n_questions": sizes[measure].questions, "n_samples": sizes[measure].drawn, "n_seeds": 1}
            ends = {"estimate": estimate, "low": low, "high": high}
            rows.append(common | {"measure": measure, "label": name} | ends | size)
    if corrected is not None:
        size = {"n_questions": start.questions, "n_samples": start.drawn, "n_seeds": 1}
        target = {"estimate": intervals["measured"][0], "n_questions": ended.questions}
        counted = base.mean(0) >= WRITTEN
        for measure, shares in (("error", corrected), ("error_base", base)):
            rows.append(
                common | {"measure": measure, "label": None} | error_interval(shares, target, counted, 0) | size
            )
    return rows, _picks(start, corrected, measured, labels)


def _picks(start: Start, corrected: np.ndarray | None, measured: np.ndarray, labels: tuple[str, ...]) -> list[dict]:
    written, right = (side.sum(0) for side in start.counts())
    present = written / written.sum() >= WRITTEN
    accuracy = np.where(present, right / np.maximum(written, 1), -1.0)
    choices = {
        "most frequent": written.argmax(),
        "most accurate": accuracy.argmax(),
        "shortest": np.where(present, start.tokens, np.inf).argmin(),
    }
    if corrected is not None:
        choices["law"] = corrected.mean(0).argmax()
    winner = labels[int(measured.mean(0).argmax())]
    return [
        {"predictor": name, "pick": labels[int(i)], "winner": winner, "hit": labels[int(i)] == winner}
        for name, i in choices.items()
    ]
