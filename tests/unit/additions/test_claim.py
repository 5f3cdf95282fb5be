"""CONTRIBUTING.md, "A claim": the model is right more often after RL, in one file."""

from grown import Grown

RIGHT_MORE_OFTEN = '''
"""S5: right more often after RL."""

from echochamber.analysis.claims.claim import Claim, Finding, Where, ends, own, settled
from echochamber.analysis.claims.verdicts import Part


def measure(view, rules):
    rows = []
    for c in settled(view):
        before, after = ends(view, c)
        gain = after.accuracy - before.accuracy
        rows.append(Finding(Where.of(c, own(view, c)), (Part("gain in pass@1", gain, above=0),)))
    return rows


CLAIM = Claim("S5", "RL makes the model right more often", "formats", measure, "the study has no RL runs")
'''

USE = """
from pathlib import Path

import fabricated

from echochamber.analysis.claims import claims
from echochamber.analysis.tables import tables

study = {"mixtures": ["tg"], "prompts": ["synth-gsm"], "algorithms": ["grpo"], "benchmarks": ["synth-gsm"]}
grid = fabricated.grid(Path("results"), one=study | {"claims": ["S5"], "model_seeds": [0, 1, 2, 3]})
fabricated.fabricate(grid, questions=40, steps=(1, 16))
built = tables.build(grid)
table = claims.evaluate(grid, built)
(row,) = table[table["claim"] == "S5"].to_dict("records")
gains = built["gains"]
own = gains[gains["id"].notna() & (gains["metric"] == "pass_at_k") & (gains["scorer"] == "executed")]
own = own[own["k"] == 1]
assert len(own) == 4
assert abs(row["estimate"] - own["estimate"].mean()) < 1e-9, (row["estimate"], own["estimate"].mean())
assert row["low"] < row["estimate"] < row["high"] and row["n_seeds"] == 4
assert row["primary"] and row["verdict"] == "holds", row["verdict"]
"""


def test_a_claim_is_one_file_and_one_line(tmp_path):
    grown = Grown(tmp_path)
    grown.add("analysis/claims/s5.py", RIGHT_MORE_OFTEN)
    grown.register("settings/claims.py", '*("S1", "S2", "S3", "S4"),', '"S5",')
    grown.run(USE)
