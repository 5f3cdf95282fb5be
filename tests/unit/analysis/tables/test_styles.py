"""Style inside a format: shares counted by hand, and the claim on simulated tables."""

from __future__ import annotations

from pathlib import Path

import fabricated
import numpy as np
import pandas as pd
import pytest
from simulated_claims import RUNS, SIX, simulate

from echochamber.analysis.claims import claims
from echochamber.analysis.tables.styles import styles

SINGLE = (
    "def simple_math_problem() -> int:\n    '''\n    Q\n    '''\n    answer = 3\n    result = answer\n    return result"
)
DOUBLE = SINGLE.replace("'" * 3, '"' * 3).replace("answer", "final")
COMMENTED = SINGLE.replace("    answer = 3", "    # pens\n    answer = 3")


def test_shares_of_variants_by_hand(tmp_path):
    """Two questions, four samples each: six in tinygsm (three single, one of them with a comment, three double)."""
    completions = [SINGLE, DOUBLE, DOUBLE, "So \\boxed{3}.", SINGLE, COMMENTED, DOUBLE, "Thus \\boxed{3}."]
    table = pd.DataFrame({"question_id": ["a"] * 4 + ["b"] * 4, "completion": completions, "step": 5, "mode": "sample"})
    table["format"] = ["omi2" if "boxed" in c else "tinygsm" for c in completions]
    table["tokens"] = [30, 40, 40, 10, 30, 35, 55, 10]
    greedy = table.assign(mode="greedy", completion=DOUBLE, format="tinygsm")
    path = tmp_path / "samples.parquet"
    pd.concat([table, greedy, table.assign(step=6)]).to_parquet(path)
    rows = {(r["format"], r["style"], r["variant"]): r for r in styles(path, 5)}
    assert rows[("tinygsm", "quotes", "double")]["estimate"] == pytest.approx(3 / 6)
    assert rows[("tinygsm", "quotes", "single")]["estimate"] == pytest.approx(3 / 6)
    assert rows[("tinygsm", "comments", "yes")]["estimate"] == pytest.approx(1 / 6)
    assert rows[("tinygsm", "twin", "b")]["estimate"] == pytest.approx(3 / 6)
    assert rows[("omi2", "twin", "a")]["estimate"] == pytest.approx(1 / 2)
    assert rows[("tinygsm", "quotes", "none")]["estimate"] == 0
    assert rows[("tinygsm", "quotes", "double")]["n_samples"] == 6
    assert ("omi2", "quotes", "double") not in rows
    assert rows[("tinygsm", "naming", "none")]["estimate"] == 1  # `answer` and `result` are the format's own
    length = rows[("tinygsm", "length", "tokens")]
    assert length["estimate"] == pytest.approx((30 + 40 + 40 + 30 + 35 + 55) / 6)
    assert 30 <= length["low"] < length["estimate"] < length["high"] <= 45
    assert rows[("omi2", "length", "tokens")]["estimate"] == 10


def table(grid, quotes: float, twin: float, start: float = 0.5, samples: int = 800) -> pd.DataFrame:
    """Shares inside tinygsm: `quotes` and `twin` are how far they move, the twin to either side by seed."""
    rng = np.random.default_rng(0)
    rows = []
    for run in grid.index():
        if run["kind"] == "run":
            for step in (0, 128):
                moved = (step > 0) * np.array([quotes, twin * (-1) ** run["model_seed"]]) + rng.normal(0, 0.01, 2)
                shares = {("quotes", "double"): start + moved[0], ("quotes", "single"): 1 - start - moved[0]}
                shares |= {("twin", "a"): 0.5 + moved[1], ("twin", "b"): 0.5 - moved[1], ("twin", "none"): 0.0}
                rows += [
                    run
                    | {"step": step, "format": "tinygsm", "style": s, "variant": v, "estimate": e, "n_samples": samples}
                    for (s, v), e in shares.items()
                ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"quotes": 0.4, "twin": 0.05}, "holds"),
        ({"quotes": 0.05, "twin": 0.02}, "fails"),
        ({"quotes": 0.3, "twin": 0.4}, "fails"),  # the twin drifts as far
        ({"quotes": 0.2, "twin": 0.0}, "inconclusive"),
        ({"quotes": 0.4, "twin": 0.05, "start": 0.01}, "not in this grid"),  # one variant only
        ({"quotes": 0.4, "twin": 0.05, "samples": 10}, "not in this grid"),
    ],
)
def test_c7(arguments, expected):
    grid = fabricated.grid(Path("results"), one=RUNS | SIX | {"claims": ["C7"]})
    found = claims.evaluate(grid, simulate(grid) | {"styles": table(grid, **arguments)})
    assert found.loc[found["claim"] == "C7", "verdict"].tolist() == [expected]
