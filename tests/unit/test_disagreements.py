"""Where the two scorers differ, by hand; and the flags that tables read are those that the verifier sets."""

import numpy as np
import pandas as pd

from echochamber.analysis import samples
from echochamber.analysis.disagreements import disagreements
from echochamber.settings import FORMATS
from echochamber.verify import verify

COMPLETIONS = [
    "The answer is: 4",  # both
    "I know it is 4",  # the released rules read the last number of the text
    r"So \boxed{4}",  # the released rules call all prose text
    "again " * 12,  # neither
]


def answers_of(completions, gold, folder):
    strict = [verify(text, gold) for text in completions]
    authors = [verify(text, gold, scorer="authors") for text in completions]
    table = pd.DataFrame(
        {
            "step": 1,
            "question_id": "q",
            "mode": "sample",
            "sample": range(len(completions)),
            "tokens": 5,
            "finished": True,
            "format": [v.format for v in strict],
            "correct": [v.correct for v in strict],
            "answer_key": [v.answer_key for v in strict],
            "flags": [",".join(sorted(v.flags)) for v in strict],
            "format_authors": [v.format for v in authors],
            "correct_authors": [v.correct for v in authors],
        }
    )
    table.to_parquet(folder / "samples.parquet")
    return samples.read(folder / "samples.parquet")[1, "sample"], strict, authors


def test_counts_by_hand(tmp_path):
    answers, strict, authors = answers_of(COMPLETIONS, 4, tmp_path)
    assert [v.correct for v in strict] == [True, False, True, False]
    assert [v.correct for v in authors] == [True, True, True, False]
    rows = {(r["format"], r["format_authors"], r["outcome"]): r for r in disagreements("sample", answers)}
    assert {name: row["estimate"] for name, row in rows.items()} == {
        ("text", "text", "both_right"): 1 / 4,
        ("text", "text", "only_authors"): 1 / 4,
        ("omi2", "text", "both_right"): 1 / 4,
        ("other", "text", "both_wrong"): 1 / 4,
    }
    assert all((row["n_questions"], row["n_samples"], row["n_seeds"]) == (1, 4, 1) for row in rows.values())
    assert all(row["low"] <= row["estimate"] <= row["high"] for row in rows.values())


def test_degenerate_is_what_the_verifier_flags(tmp_path):
    answers, *_ = answers_of(COMPLETIONS, 4, tmp_path)
    assert answers.degenerate.tolist() == [[False, False, False, True]]
    assert np.array(FORMATS)[answers.format[0]].tolist() == ["text", "text", "omi2", "other"]
