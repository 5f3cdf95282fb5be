"""Which rules call a completion right, by hand; and the flags that tables read are those that the verifier sets."""

import numpy as np
import pandas as pd

from echochamber.analysis import samples
from echochamber.analysis.tables.disagreements import disagreements
from echochamber.formats import FORMATS, RULES
from echochamber.verify import verify_by_rules

COMPLETIONS = [
    "The answer is: 4",  # all
    "I know it is 4",  # the released rules read the last number of the text
    r"So \boxed{4}",  # the released rules call all prose text
    "<llm-code>\n2 * 2\n</llm-code>\nSo \\boxed{5}.",  # its code is right, its box is not
    "<llm-code>\n2 + 3\n</llm-code>\nSo \\boxed{4}.",  # the other way round
    "again " * 12,  # none
]


def answers_of(completions, gold, folder):
    by_rule = verify_by_rules(completions, [gold] * len(completions))
    executed = by_rule["executed"]
    table = pd.DataFrame(
        {
            "step": 1,
            "question_id": "q",
            "mode": "sample",
            "sample": range(len(completions)),
            "tokens": 5,
            "finished": True,
            "format": [v.format for v in executed],
            "flags": [",".join(sorted(v.flags)) for v in executed],
            "format_authors": [v.format for v in by_rule["authors"]],
        }
        | {f"correct_{rule}": [v.correct for v in by_rule[rule]] for rule in RULES}
        | {f"answer_key_{rule}": [v.answer_key for v in by_rule[rule]] for rule in RULES}
    )
    table.to_parquet(folder / "samples.parquet")
    return samples.read(folder / "samples.parquet")[1, "sample"], by_rule


def test_counts_by_hand(tmp_path):
    answers, by_rule = answers_of(COMPLETIONS, 4, tmp_path)
    assert [v.correct for v in by_rule["executed"]] == [True, False, True, True, False, False]
    assert [v.correct for v in by_rule["written"]] == [True, False, True, False, True, False]
    assert [v.correct for v in by_rule["authors"]] == [True, True, True, True, False, False]
    rows = {(r["format"], r["format_authors"], r["right_by"]): r for r in disagreements("sample", answers)}
    assert {name: row["estimate"] for name, row in rows.items()} == {
        ("text", "text", "executed+written+authors"): 1 / 6,
        ("text", "text", "authors"): 1 / 6,
        ("omi2", "text", "executed+written+authors"): 1 / 6,
        ("omi1", "omi1", "executed+authors"): 1 / 6,
        ("omi1", "omi1", "written"): 1 / 6,
        ("other", "text", "none"): 1 / 6,
    }
    assert all((row["n_questions"], row["n_samples"], row["n_seeds"]) == (1, 6, 1) for row in rows.values())
    assert all(row["low"] <= row["estimate"] <= row["high"] for row in rows.values())


def test_the_view_of_a_rule(tmp_path):
    answers, _ = answers_of(COMPLETIONS, 4, tmp_path)
    executed = [[True, False, True, True, False, False]]
    assert answers.correct.tolist() == answers.by("executed").correct.tolist() == executed
    assert answers.by("written").correct.tolist() == [[True, False, True, False, True, False]]
    keys = answers.by("written").key[0]
    assert keys[0] == keys[2] == keys[4] != keys[3]
    assert keys[1] == keys[5] == -1
    assert np.array(FORMATS)[answers.by("authors").format[0]].tolist() == ["text"] * 3 + ["omi1"] * 2 + ["text"]


def test_degenerate_is_what_the_verifier_flags(tmp_path):
    answers, _ = answers_of(COMPLETIONS, 4, tmp_path)
    assert answers.degenerate.tolist() == [[False] * 5 + [True]]
    assert np.array(FORMATS)[answers.format[0]].tolist() == ["text", "text", "omi2", "omi1", "omi1", "other"]
