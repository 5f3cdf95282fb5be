"""The replicates that claims are said to need are those without which they give no verdict themselves."""

from pathlib import Path

import fabricated
import pytest
from claim_worlds import CASES
from simulated_claims import RUNS, simulate, truth

from echochamber.analysis.claims import claims, needs
from echochamber.grid import parsing
from echochamber.planning.plan import plan

CONFIG = Path(__file__).parents[4] / "config"


def grid(claim, **changes):
    return fabricated.grid(Path("results"), one=RUNS | CASES[claim][0] | {"claims": [claim]} | changes)


def verdict(grid, claim):
    table = claims.evaluate(grid, simulate(grid, truth, noise=1e-4))
    (said,) = table.loc[table["claim"] == claim, "verdict"]
    return said


@pytest.mark.parametrize("claim", CASES)
def test_one_replicate_less_than_needed_is_never_a_verdict_and_as_many_can_be(claim):
    (need,) = needs.needs(grid(claim))
    assert need.has == len(CASES[claim][0]["model_seeds"])
    fewer, enough = (grid(claim, model_seeds=list(range(n))) for n in (need.needs - 1, need.needs))
    assert verdict(fewer, claim) == "inconclusive"
    assert [n.decidable for g in (fewer, enough) for n in needs.needs(g)] == [False, True]
    if claim not in ("C2", "C3", "C6", "C12", "S3"):  # in this world their effects are small for three seeds
        assert verdict(enough, claim) == "holds"


def test_rl_seeds_are_enough_but_where_base_models_are_compared():
    seeds = {"model_seeds": [0], "run_seeds": [0, 1, 2]}
    (of_runs,), (of_models,) = (needs.needs(grid(claim, **seeds)) for claim in ("C1", "C6"))
    assert (of_runs.kind, of_runs.has, of_runs.decidable) == (needs.RL, 3, True)
    assert (of_models.kind, of_models.has, of_models.decidable) == (needs.PRETRAINING, 1, False)
    assert verdict(grid("C6", **seeds), "C6") == "inconclusive"


def test_what_the_missing_replicates_take_is_the_plan_with_them_less_that_without():
    paper = parsing.load(CONFIG / "paper.yaml")
    table = needs.priced(paper).set_index("claim")
    assert (table.loc["all", "has"], table.loc["all", "needs"]) == (0, 15)
    config = parsing.read(CONFIG / "paper.yaml")
    config["studies"]["fig2"]["run_seeds"] = [0, 1, 2]
    hours = [
        t.loc[(t["study"] == "whole grid") & (t["stage"] == "all"), "gpu_hours"].item()
        for t in (plan(paper), plan(parsing.parse(config, "more.yaml")))
    ]
    assert table.loc["C1", "hours"] == pytest.approx(hours[1] - hours[0])
    assert table.loc["C2", "hours"] == table.loc["C1", "hours"] < table.loc["C8", "hours"] < table.loc["all", "hours"]


def test_a_grid_that_decides_nothing_is_warned_of_in_one_line():
    paper, study = (parsing.load(CONFIG / f"{name}.yaml") for name in ("paper", "study"))
    line = needs.warning(paper)
    assert line.startswith("no claim of this grid can have a verdict: C1 has 1 of the 3 RL seeds")
    assert "\n" not in line
    assert needs.warning(study) is None
    assert "0 of 15 claims have the replicates that a verdict needs; the missing ones" in needs.readable(paper)
    assert needs.readable(study).endswith("19 of 19 claims have the replicates that a verdict needs")
