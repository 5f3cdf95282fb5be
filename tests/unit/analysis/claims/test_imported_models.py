"""Claims and figures about mixtures and scales apply to imported models that say theirs."""

from pathlib import Path

import fabricated
import pytest
from claim_worlds import CASES, FOUR
from simulated_claims import RUNS, simulate, truth

from echochamber.analysis.claims import claims
from echochamber.analysis.studies import StudyView
from echochamber.grid.expansion import Grid
from echochamber.settings import GridFile


def imported_grid(study, mixtures, scales=("nano",), described=True):
    """The study of a case with one imported model of each mixture and scale in place of those that are trained."""
    axes = {"model_seeds": [0], "mixtures": [], "scales": []}
    names = {f"{mixture}-{scale}": (mixture, scale) for mixture in mixtures for scale in scales}
    study = RUNS | study | axes | {"models": list(names), "run_seeds": list(range(6))}
    config = fabricated.grid_file(one=study)
    config["models"] = {
        name: {"import": f"someone/{name}"} | ({"mixture": mixture, "scale": scale} if described else {})
        for name, (mixture, scale) in names.items()
    }
    del config["tokenizer"]
    return Grid(GridFile.model_validate(config), Path("results"))


@pytest.mark.parametrize(
    ("claim", "mixtures", "scales"),
    [
        ("C5", ["tg+4xomi1", "tg+8xomi1"], ["nano"]),
        ("C6", ["tg", "2xtg", "4xtg"], ["nano"]),
        ("C8", ["tg+omi1+omi2"], FOUR),
        ("C11", ["tg", "tg+omi1+omi2"], ["nano"]),
    ],
)
def test_a_claim_measures_what_it_does_on_models_of_the_grid(claim, mixtures, scales):
    """The same world, by the same numbers; only the replicates, RL seeds of one model, are others."""
    study = CASES[claim][0] | {"claims": [claim]}
    theirs = imported_grid(study, mixtures, scales)
    found = claims.evaluate(theirs, simulate(theirs, truth))
    trained = fabricated.grid(
        Path("results"), one=RUNS | study | {"mixtures": mixtures, "scales": scales, "model_seeds": list(range(6))}
    )
    expected = claims.evaluate(trained, simulate(trained, truth))
    found, expected = (table[table["claim"].str.split(".").str[0] == claim] for table in (found, expected))
    columns = ["claim", "study", "mixture", "scale", "metric"]
    assert found[columns].fillna("").values.tolist() == expected[columns].fillna("").values.tolist()
    assert found["estimate"].tolist() == pytest.approx(expected["estimate"].tolist(), abs=0.1, nan_ok=True)
    assert found["estimate"].notna().any()
    assert "not in this grid" not in set(found["verdict"])


def test_models_that_say_nothing_of_themselves_are_conditions_of_their_own():
    grid = imported_grid({"claims": ["C1"]}, ["tg", "2xtg"], described=False)
    view = StudyView(grid, "one", simulate(grid, truth))
    assert [(c.mixture, c.scale) for c in view.conditions] == [("tg-nano", "imported"), ("2xtg-nano", "imported")]
    described = imported_grid({"claims": ["C1"]}, ["2xtg", "tg"])
    view = StudyView(described, "one", simulate(described, truth))
    assert [(c.mixture, c.scale) for c in view.conditions] == [("2xtg", "nano"), ("tg", "nano")]
