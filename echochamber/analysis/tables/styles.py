"""Style inside a format: docstring and quotes, comments, names of variables, length, and the neutral twin (Figure 6).

The twin is the null: two ways to say the same at equal accuracy, so what moves its share is drift.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from echochamber.corpora.styles import style_of
from echochamber.evaluation import samples_file
from echochamber.stats.columns import FORMAT, MEASURED, OF_RUN, SAMPLED, Column, Table
from echochamber.stats.intervals import question_intervals

VARIANTS = {
    "quotes": ("single", "double", "none"),
    "comments": ("yes", "no"),
    "naming": ("letters", "words", "snake", "camel", "mixed", "none"),
    "twin": ("a", "b", "none"),
}
STYLES = Table(
    "styles",
    "the share of a variant of a style inside a format, at a checkpoint of a run",
    (
        *(*OF_RUN, SAMPLED, FORMAT),
        Column("style", "text", f"{', '.join(f'`{name}`' for name in VARIANTS)}, or `length`"),
        Column("variant", "text", "of the style; `tokens` of `length`, whose estimate is a mean in tokens"),
        *MEASURED,
    ),
)
LENGTH = "length"
"""A style with the one variant `tokens`, whose estimate is a mean and no share."""


def styles(path: Path, step: int) -> list[dict]:
    """Rows format, style, variant, estimate, low, high, n_questions, n_samples of one samples.parquet at one step.

    estimate: share of the variant among the sampled completions in the format, or for `length` their mean length in
    tokens; the interval is over questions.
    """
    columns = ["question_id", "format", "completion", "tokens"]
    table = samples_file.read(path, columns, [("step", "==", step), ("mode", "==", "sample")])
    distinct = table[["format", "completion"]].drop_duplicates()
    looks_of = {key: style_of(key[1], key[0]) for key in distinct.itertuples(index=False, name=None)}
    looks = [looks_of[key] for key in zip(table["format"], table["completion"], strict=True)]
    question = pd.factorize(table["question_id"])[0]
    rows = []
    for name in dict.fromkeys(table["format"]):
        inside = (table["format"] == name).to_numpy()
        written = np.bincount(question[inside], minlength=question.max() + 1)
        counted = {"n_questions": int((written > 0).sum()), "n_samples": int(written.sum())}
        tokens = np.bincount(question[inside], weights=table["tokens"].to_numpy()[inside], minlength=len(written))
        ends = question_intervals(tokens[:, None], written[:, None], proportion=False)[:, 0]
        row = {"format": name, "style": LENGTH, "variant": "tokens"}
        rows.append(row | dict(zip(("estimate", "low", "high"), ends, strict=True)) | counted)
        for style in looks_of[next(key for key in looks_of if key[0] == name)]:
            variants = VARIANTS[style]
            counts = np.stack([_count(question, inside, looks, style, v, len(written)) for v in variants], axis=1)
            per = np.repeat(written[:, None], len(variants), axis=1)
            for variant, (estimate, low, high) in zip(variants, question_intervals(counts, per).T, strict=True):
                rows.append(
                    {"format": name, "style": style, "variant": variant, "estimate": estimate, "low": low, "high": high}
                    | counted
                )
    return rows


def _count(question: np.ndarray, inside: np.ndarray, looks: list[dict], style: str, variant: str, n: int) -> np.ndarray:
    """Completions of each question in the format with this variant."""
    those = inside & np.array([look.get(style) == variant for look in looks])
    return np.bincount(question[those], minlength=n)
