"""Wrong verdicts and power of every claim, over simulated studies whose truth is known.

    python benchmarks/claims.py --grids 200

On the edge (a number that is the threshold itself, a winner that is a coin) a claim may hold or fail by chance: 5 % of
95 % intervals are due, and less for claims of several parts. Where a claim is true, `holds` is its power at the size
of study that `tests/support/claim_worlds.py` gives it. One core, a fifth of a second a grid, two for S1 and S2.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests/support"))

import claim_worlds  # noqa: E402
import fabricated  # noqa: E402
from simulated_claims import RUNS, simulate  # noqa: E402

from echochamber.analysis.claims import claims  # noqa: E402


def verdicts(claim: str, world: claim_worlds.Truth, grids: int) -> list[str]:
    """Of a claim with one row, in independent studies of one world."""
    study = claim_worlds.CASES[claim][0]
    grid = fabricated.grid(Path("results"), one=RUNS | study | {"claims": [claim]})
    said = []
    for seed in range(grids):
        claim_worlds.COIN[0] = seed
        table = claims.evaluate(grid, simulate(grid, world, seed=seed, noise=0.03))
        said += table.loc[table["claim"] == claim, "verdict"].tolist()
    return said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--grids", type=int, default=200, help="simulated studies of each world")
    parser.add_argument("--claims", nargs="*", default=list(claim_worlds.CASES))
    arguments = parser.parse_args()
    print("claim  base models   on the edge: holds  fails   where true: holds   where false: fails", flush=True)
    for name in arguments.claims:
        study, false = claim_worlds.CASES[name]
        edge, right, wrong = (
            verdicts(name, w, arguments.grids) for w in (claim_worlds.EDGES[name], claim_worlds.holding(name), false)
        )
        rates = [edge.count("holds"), edge.count("fails"), right.count("holds"), wrong.count("fails")]
        a, b, c, d = (rate / arguments.grids for rate in rates)
        print(f"{name:>5}  {len(study['model_seeds']):11}  {a:18.3f}  {b:5.3f}  {c:18.2f}  {d:19.2f}", flush=True)


if __name__ == "__main__":
    main()
