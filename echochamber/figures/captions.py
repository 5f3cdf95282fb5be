"""The part that every caption has: question set, sampling, interval, seeds, world."""

from __future__ import annotations

from collections.abc import Iterable

from echochamber.analysis import replicates
from echochamber.analysis.studies import SEEDS_FOR_A_BAND, StudyView, seeds_in_words


def tail(view: StudyView, benchmarks: Iterable[str]) -> str:
    """One or two sentences on what was measured, on how many questions and samples, and what the intervals are."""
    said = []
    for name in dict.fromkeys(benchmarks):
        settings = view.file.benchmarks[name]
        rows = view.scores[(view.scores["question_set"] == name) & (view.scores["metric"] == "greedy_accuracy")]
        questions = int(rows["n_questions"].max()) if len(rows) else 0
        said.append(
            f"{name}: {questions} held-out questions x {settings.samples} samples, "
            f"temperature {settings.temperature:g}, top_p {settings.top_p:g}"
        )
    return f"{'; '.join(said)}. {intervals(view)} World: {view.world}."


def intervals(view: StudyView) -> str:
    """What the bands are, and how many seeds stand behind them."""
    counts = {len(replicates.by_replicate(view.of(c).assign(one=1.0), "one")) for c in view.conditions}
    words = seeds_in_words(view)
    seeds = f"{words[0].upper()}{words[1:]}."
    if not counts or max(counts) < SEEDS_FOR_A_BAND:
        each = ", each seed a line of its own" if counts and max(counts) > 1 else ""
        return f"Bands and whiskers: 95 % interval over questions within a seed{each}. {seeds}"
    return f"Bands and whiskers: 95 % t-interval over seeds. {seeds}"
