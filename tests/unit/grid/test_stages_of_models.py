"""Stages between pretraining and RL: ids, specs, and what is refused."""

import copy
from pathlib import Path

import pytest

from echochamber.grid import parsing, said
from echochamber.grid.ids import start_of
from echochamber.planning.plan import plan

ROOT = Path(__file__).parents[3]
TINY = parsing.read(ROOT / "tests/workflow/tiny.yaml")


def grid(stages, chain, **study):
    config = copy.deepcopy(TINY)
    config["stages"] = stages
    config["studies"]["algorithms"] |= {"stages": chain} | study
    return parsing.parse(config, "test.yaml")


MID = {"mixture": "tg+omi2", "learning_rate": 1e-3}
SFT = MID | {"loss": "solution", "seed": 7}


def test_ids_specs_and_streams():
    made = grid({"mid": MID, "sft": SFT}, ["mid", "sft"])
    assert list(made.trained_models) == [f"tg+omi2/femto/seed0{end}" for end in ("", "+mid", "+mid+sft")]
    assert list(made.models) == ["tg+omi2/femto/seed0+mid+sft"]
    assert made.runs["tg+omi2/femto/seed0+mid+sft/ppo/synth-gsm/seed0"].start == "+mid+sft"
    assert said.result(made, "pretrain", {"mixture": "tg+omi2", "scale": "femto", "seed": "0+mid"}) == ""  # no log yet
    first, second, third = map(made.pretrain_spec, made.trained_models.values())
    assert (first.base, first.loss) == (None, "all")
    assert second.base.checkpoints == "results/tiny/models/tg+omi2/femto/seed0/checkpoints"
    assert third.base.checkpoints.endswith("seed0+mid/checkpoints")
    assert (third.loss, third.stream) == ("solution", "tg+omi2/femto/seed0+mid+sft/7")
    assert (third.settings.learning_rate, third.settings.warmup_steps, third.settings.checkpoints) == (1e-3, 0, ())
    assert third.settings.batch_rows == first.settings.batch_rows


@pytest.mark.parametrize(
    ("id", "start"),
    [
        ("tg+omi2/nano/seed0/grpo/asked/seed0", ""),
        ("tg+omi2/nano/seed12+step200/grpo/asked/seed3", "+step200"),
        ("tg+omi2/nano/seed0+mid+sft+step5/grpo/asked/seed0", "+mid+sft+step5"),
        ("imported/own/grpo/asked/seed0", ""),
    ],
)
def test_where_a_run_starts_is_in_its_id(id, start):
    assert start_of(id) == start


def test_a_grid_that_names_no_stage_has_the_specs_that_it_had():
    plain = parsing.parse(copy.deepcopy(TINY), "test.yaml")
    unused = grid({"mid": MID}, [])
    for one, other in zip(plain.trained_models.values(), unused.trained_models.values(), strict=True):
        assert plain.pretrain_spec(one).text() == unused.pretrain_spec(other).text()
    assert "loss" not in plain.pretrain_spec(one).text().replace("loss_", "")
    assert [plain.posttrain_spec(r).text() for r in plain.runs.values()] == [
        unused.posttrain_spec(r).text() for r in unused.runs.values()
    ]
    assert plain.grid_spec("tables").text() == unused.grid_spec("tables").text()


@pytest.mark.parametrize(
    ("stages", "chain", "study", "said"),
    [
        ({"mid": MID}, ["sft"], {}, "studies.algorithms.stages: found 'sft', allowed: mid"),
        ({"mid": MID | {"mixture": "x"}}, [], {}, "stages.mid.mixture: found 'x', allowed: tg+omi2"),
        (
            {"step5": MID},
            [],
            {},
            "stages: found 'step5', allowed: other names than pretrain, rl, and step with a number",
        ),
        ({"mid": MID}, ["mid", "mid"], {}, "stages: found a name twice"),
        ({"mid": MID}, ["mid"], {"from_step": 5}, "from_step: found 5 with stages, allowed: one of them"),
    ],
)
def test_what_cannot_be_is_one_line(stages, chain, study, said):
    with pytest.raises(parsing.GridError) as error:
        grid(stages, chain, **study)
    assert said in str(error.value)


def test_the_loss_of_solutions_needs_whole_documents():
    config = copy.deepcopy(TINY) | {"stages": {"sft": SFT}}
    config["pretraining"]["packing"] = "concatenate"
    with pytest.raises(parsing.GridError, match=r"stages\.sft\.loss: found solution, allowed with pretraining.packing"):
        parsing.parse(config, "test.yaml")


def test_the_pack_spends_one_budget_in_every_study():
    """FLOPs of training, as the plan counts them; and what the chains share is trained once."""
    pack = parsing.load(ROOT / "config/packs/budget.yaml")
    table = plan(pack)
    training = table[table["stage"].isin(["pretraining", "posttraining"]) & (table["study"] != "whole grid")]
    spent = training.groupby("study")["flops"].sum()
    assert len(spent) == 4
    assert spent.max() < 1.02 * spent.min()
    assert len(pack.trained_models) == 3 * 4  # long, short, short+mid, short+sft
