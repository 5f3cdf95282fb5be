"""Expansion: counts worked out by hand, ids, paths, and what each job depends on."""

import copy
import json
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import create_model

from echochamber.analysis.studies import parameters
from echochamber.analysis.theory.predictions import law
from echochamber.grid import parsing, parts, stages
from echochamber.grid.expansion import Grid
from echochamber.grid.ids import Model, Run
from echochamber.grid.specs import GridSpec
from echochamber.jobs.spec import parse
from echochamber.planning.plan import plan, readable
from echochamber.settings import CLAIMS, Benchmark, GridFile, PolicyGradient, Pretraining
from echochamber.settings.claims import PACKS

ROOT = Path(__file__).parents[3]
CONFIG = parsing.read(ROOT / "tests/support/grids/three_formats.yaml")


def grid(**changes):
    config = copy.deepcopy(CONFIG)
    if "studies" in changes:
        del config["primary"]  # which names rows of the demo's own
    for path, value in changes.items():
        *keys, last = path.split("/")
        place = config
        for key in keys:
            place = place[key]
        place[last] = value
    return parsing.parse(config, "test.yaml")


def specs(grid):
    """Every job's spec by a name of its own."""
    found = {"tokenizer": grid.tokenizer_spec()}
    found |= {f"corpus {name}": grid.corpus_spec(name) for name in grid.corpora}
    found |= {f"shard {name}": grid.shard_spec(name, 0) for name in grid.corpora}
    found |= {f"questions {name} {split}": grid.questions_spec(name, split) for name, split in grid.question_files}
    found |= {f"mixture {name}": grid.mixture_spec(name) for name in grid.mixtures}
    found |= {f"pretrain {id}": grid.pretrain_spec(model) for id, model in grid.trained_models.items()}
    found |= {f"posttrain {id}": grid.posttrain_spec(run) for id, run in grid.runs.items()}
    found |= {f"evaluate {id} {b}": grid.evaluate_spec(job, b) for (id, b), job in grid.evaluations.items()}
    found |= {f"probe {id}": grid.probe_spec(probe) for id, probe in grid.probes.items()}
    return found


def changed(one, other):
    return {name for name in specs(one).keys() | specs(other).keys() if specs(one).get(name) != specs(other).get(name)}


def test_ids():
    model = Model("tg+omi1", "nano", 3)
    assert model.id == "tg+omi1/nano/seed3"
    assert Run(model, None, "ppo", "gsm", 1).id == "tg+omi1/nano/seed3/ppo/gsm/seed1"
    assert Run(model, 100, "ppo", "gsm", 1).id == "tg+omi1/nano/seed3+step100/ppo/gsm/seed1"
    assert Model(None, None, None, "olmo").id == "imported/olmo"


def test_studies_that_share_jobs_run_them_once():
    study = {"title": "?", "mixtures": ["tg+omi1+omi2"], "scales": ["pico", "nano"], "model_seeds": [0, 1, 2]}
    study |= {"algorithms": ["ppo", "grpo"], "prompts": ["synth-gsm"], "run_seeds": [0, 1], "benchmarks": ["synth-gsm"]}
    one = grid(studies={"a": study})
    both = grid(studies={"a": study, "b": study | {"model_seeds": [2, 3], "benchmarks": ["synth-gsm", "synth-math"]}})
    assert len(one.models) == 2 * 3
    assert len(one.runs) == 2 * 3 * 2 * 2
    assert len(one.evaluations) == 6 + 24
    # b adds seed 3: 2 models and 8 runs on both benchmarks; seed 2 is shared and adds one benchmark for 2 + 8.
    assert len(both.models) == 8
    assert len(both.runs) == 32
    assert len(both.evaluations) == 30 + 2 * 10 + 10
    # One probe a model and prompt set. Both mixtures' sources: the tokenised corpora of tg+omi1+omi2 and background.
    jobs = plan(both).set_index(["study", "stage"]).jobs
    assert jobs["whole grid"].to_dict() == {
        "corpora": 7,
        "pretraining": 8,
        "posttraining": 32,
        "evaluation": 60 + 8,
        "all": 7 + 8 + 32 + 68,
    }
    assert jobs["a", "all"] == 7 + 6 + 24 + 30 + 6


def test_a_plan_adds_up():
    """Columns are sums over jobs, but for memory, that of the largest; shared jobs are in the whole grid once."""
    table = plan(grid())
    parts, sums = table[table.stage != "all"], table[table.stage == "all"].set_index("study")
    for column in ("tokens", "flops", "seconds", "gpu_hours", "disk_bytes", "scratch_bytes"):
        assert parts.groupby("study")[column].sum().to_dict() == pytest.approx(sums[column].to_dict())
        assert sums[column]["whole grid"] <= sums[column].drop("whole grid").sum()
    assert parts.groupby("study").host_bytes.max().to_dict() == sums.host_bytes.to_dict()
    alone = grid(studies={"kl": CONFIG["studies"]["kl"]})
    only = plan(alone).drop(columns="study")
    assert only[:5].reset_index(drop=True).equals(only[5:].reset_index(drop=True))


def test_a_plan_says_what_is_too_large():
    config = parsing.read(ROOT / "config/paper.yaml") | {"hardware": {"device": "RTX 4090"}}
    paper = parsing.parse(config, "test.yaml")
    text = readable(paper, plan(paper))
    assert "too large: ppo at scale 1b needs" in text
    assert "the RTX 4090 has 24.0 GB" in text
    assert "too large" not in readable(grid(), plan(grid()))


def test_the_papers_grid_by_hand():
    paper = parsing.load(ROOT / "config/paper.yaml")
    of_scale = [model.scale for model in paper.models.values()]
    # 150M: 12 mixtures (fig 2 to 20 and base-models); 1B: the five of table 1.
    assert (of_scale.count("150m"), of_scale.count("1b")) == (12, 5)
    kinds = [paper.file.algorithms[run.algorithm].kind for run in paper.runs.values()]
    assert kinds.count("expert_iteration") == 5
    assert sum(run.prompts == "math" for run in paper.runs.values()) == 3


def test_the_registered_study_can_speak_about_every_claim():
    """A primary row with enough replicates for each but C14, which is exploratory, and those of packs."""
    study = parsing.load(ROOT / "config/study.yaml")
    assert set(study.file.primary) == set(CLAIMS) - {"C14", *PACKS}
    needed = {claim: 12 if claim in ("C4", "C5", "C9", "S4") else 4 if claim == "C8" else 6 for claim in CLAIMS}
    for claim, row in study.file.primary.items():
        assert len(study.file.studies[row.study].model_seeds) >= needed[claim], claim
    sizes = [parameters(study.file.scales[name]) for name in study.file.studies["scales"].scales]
    assert len(sizes) >= 4
    assert max(sizes) >= 30 * min(sizes)
    theory = [study.file.algorithms[name] for name in study.file.studies["theory"].algorithms]
    assert not any(law(algorithm).reasons for algorithm in theory)
    assert {law(algorithm).beta for algorithm in theory if law(algorithm).name == "tilt"} == {0.1, 0.3, 1.0}
    cells = {tuple(sorted(study.passes(m).items())) for m in study.file.studies["factorial"].mixtures}
    assert len(cells) == 9
    check = parsing.load(ROOT / "config/check.yaml")
    assert not {model.seed for model in check.models.values()} & {model.seed for model in study.models.values()}
    assert not {c.seed for c in check.file.corpora.values()} & {c.seed for c in study.file.corpora.values()}


def test_defaults_are_the_papers():
    ppo = parsing.load(ROOT / "config/paper.yaml").file.algorithms["ppo"]
    assert (ppo.prompts_per_batch, ppo.samples_per_prompt, ppo.update_batch, ppo.update_passes) == (64, 8, 64, 1)
    assert (ppo.learning_rate, ppo.critic_learning_rate, ppo.warmup, ppo.final_learning_rate) == (1e-6, 7e-6, 0.03, 0.1)
    assert (ppo.sampling.temperature, ppo.sampling.top_p, ppo.sampling.max_new_tokens) == (0.7, 1.0, 1024)
    assert (ppo.gamma, ppo.gae_lambda, ppo.clip, ppo.value_clip, ppo.betas) == (1.0, 0.95, 0.2, 0.2, (0.9, 0.95))
    assert (ppo.reduction, ppo.kl.level, ppo.kl.estimator, ppo.kl.coefficient) == (
        "micro_batch_mean",
        "token",
        "k1",
        1e-3,
    )
    ei = parsing.load(ROOT / "config/paper.yaml").file.algorithms["ei"]
    assert (ei.samples_per_prompt, ei.sampling.temperature, ei.sampling.top_p, ei.epochs) == (64, 1.0, 0.95, 2)
    assert (ei.batch, ei.learning_rate, ei.start, ei.drop_duplicates) == (256, 1e-4, "base", True)


def test_one_setting_changes_only_what_hangs_on_it():
    base = grid()
    runs = {f"posttrain {id}" for id, run in base.runs.items() if run.algorithm == "ei"}
    assert changed(base, grid(**{"algorithms/ei/learning_rate": 5e-4})) == runs
    assert changed(base, grid(**{"benchmarks/synth-math/samples": 5})) == {
        f"evaluate {id} synth-math" for id, benchmark in base.evaluations if benchmark == "synth-math"
    }
    assert changed(base, grid(**{"scales/pico/layers": 1})) == {"pretrain tg+omi1+omi2/pico/seed0"}
    assert changed(base, grid(**{"corpora/omi2/documents": 9999})) == {"corpus omi2", "shard omi2"}
    assert changed(base, grid(**{"studies/kl/title": "another"})) == set()
    assert changed(base, grid(hardware={"device": "H100"}, **{"scales/nano/gpus": 4})) == set()
    pretraining = {name for name in specs(base) if name.startswith("pretrain")}
    assert changed(base, grid(**{"pretraining/learning_rate": 2e-3})) == pretraining


def test_runs_that_share_model_prompts_and_sampling_share_their_base_samples():
    base = grid()
    models = ["tg+2xomi1/nano/seed0", "tg+omi1+omi2/nano/seed0", "tg+omi1+omi2/pico/seed0"]
    assert sorted(base.probes) == [f"{model}/synth-gsm/t1-p1-112" for model in models]  # of seven runs
    cooler = grid(**{"algorithms/ei/sampling": {"temperature": 0.7, "max_new_tokens": 112}})
    assert sorted(set(cooler.probes) - set(base.probes)) == ["tg+omi1+omi2/nano/seed0/synth-gsm/t0.7-p1-112"]
    sampling = {"temperature": 1.0, "max_new_tokens": 112, "tool": "python"}
    probes = grid(**{f"algorithms/{name}/sampling": sampling for name in ("grpo", "grpo-kl.1")}).probes
    assert {probe.sampling.tool for id, probe in probes.items() if id in base.probes} == {None}
    assert {f"{id}-python" for id in base.probes} >= set(probes) - set(base.probes) != set()
    spec = base.probe_spec(base.probe(base.runs["tg+omi1+omi2/nano/seed0/ppo/synth-gsm/seed0"]))
    settings = spec.settings
    assert (settings.temperature, settings.top_p, settings.max_new_tokens) == (1.0, 1.0, 112)
    assert (spec.modes, spec.weights.steps, settings.samples) == (("sample",), ("last",), 8)
    assert spec.questions.endswith("questions/synth-gsm/train.jsonl")
    assert changed(base, grid(base_samples={"samples": 16})) == {f"probe {id}" for id in base.probes}
    early = grid(**{"pretraining/checkpoints": [100], "studies/kl/from_step": 100})
    assert early.probe_spec(early.probes["tg+omi1+omi2/nano/seed0+step100/synth-gsm/t1-p1-112"]).weights.steps == (100,)


def test_a_stage_version_is_part_of_its_specs_only(monkeypatch):
    before = specs(grid())
    monkeypatch.setitem(stages.VERSIONS, "posttrain", 99)
    after = specs(grid())
    assert {name for name in after if after[name] != before[name]} == {n for n in after if n.startswith("posttrain")}


def test_a_start_from_an_earlier_step():
    start = {"pretraining/checkpoints": [100], "studies/kl/from_step": 100}
    changes = grid(**start)
    run = changes.runs["tg+omi1+omi2/nano/seed0+step100/grpo/synth-gsm/seed0"]
    assert changes.posttrain_spec(run).base.steps == (100,)
    model = changes.models["tg+omi1+omi2/nano/seed0"]
    assert changes.evaluate_spec(model, "synth-gsm").weights.steps == (100, "last")
    assert changes.evaluate_spec(run, "synth-gsm").weights.steps is None


def test_an_imported_model():
    study = CONFIG["studies"]["kl"] | {"models": ["olmo"]}
    changes = grid(models={"olmo": {"import": "some/folder"}}, **{"studies/kl": study})
    run = changes.runs["imported/olmo/grpo/synth-gsm/seed0"]
    assert changes.posttrain_spec(run).base.model == "some/folder"
    assert "imported/olmo" not in changes.trained_models
    assert changes.evaluate_spec(changes.models["imported/olmo"], "synth-gsm").weights.model == "some/folder"


def imported_only(**more):
    """A grid whose models are all imported: no corpora, mixtures, scales or tokenizer of its own."""
    study = CONFIG["studies"]["kl"] | {"models": ["a", "b"], "figures": ["formats"], "claims": ["C1"]}
    gone = {"mixtures", "scales", "model_seeds"}
    config = {
        key: value for key, value in CONFIG.items() if key not in ("tokenizer", "corpora", "background", "primary")
    }
    config |= {"mixtures": {}, "scales": {}, "pretraining": {}}
    config |= {"models": {"a": {"import": "some/a"}, "b": {"import": "some/b"}}}
    config |= {"studies": {"one": {key: value for key, value in study.items() if key not in gone}}}
    return parsing.parse(copy.deepcopy(config | more), "test.yaml")


def test_a_grid_of_imported_models_needs_no_corpora_and_no_tokenizer():
    bare = imported_only()
    assert (bare.mixtures, bare.read_corpora, bare.tokenizer_sources) == ([], [], [])
    table = plan(bare).set_index(["study", "stage"]).jobs
    assert table["whole grid", "corpora"] == table["whole grid", "pretraining"] == 0
    assert {row["mixture"]: row["scale"] for row in bare.index()} == {"a": "imported", "b": "imported"}
    study = CONFIG["studies"]["kl"]
    with pytest.raises(
        parsing.GridError, match=r"tokenizer: found nothing, allowed: a tokenizer, since studies\.kl trains"
    ):
        parsing.parse({k: v for k, v in CONFIG.items() if k != "tokenizer"} | {"studies": {"kl": study}}, "test.yaml")


def test_an_imported_model_may_say_its_mixture_and_scale():
    """They are axes of its rows and needs of claims; nothing is tokenised or trained for them, and no job changes."""
    passes = {"tg": {"passes": {"code": 1}}, "2xtg": {"passes": {"code": 2}}}
    described = {
        "models": {"a": {"import": "some/a", "mixture": "tg", "scale": "s"}}
        | {"b": {"import": "some/b", "mixture": "2xtg", "scale": "s"}},
        "corpora": {"code": {"kind": "hub", "dataset": "tinygsm"}},
        "mixtures": passes,
        "scales": {"s": CONFIG["scales"]["nano"]},
    }
    grid, bare = imported_only(**described), imported_only()
    assert {(row["mixture"], row["scale"], row["model_seed"]) for row in grid.index()} == {
        ("tg", "s", None),
        ("2xtg", "s", None),
    }
    assert list(grid.runs) == list(bare.runs)
    assert [grid.posttrain_spec(run) for run in grid.runs.values()] == [
        bare.posttrain_spec(run) for run in bare.runs.values()
    ]
    assert (grid.read_corpora, list(grid.trained_models)) == ([], [])
    assert set(parts.part(grid.file, "claims").mixtures) == {"tg", "2xtg"}
    assert set(parts.part(grid.file, "figure", "one").scales) == {"s"}
    row = {"study": "one", "mixture": "2xtg", "scale": "s"}
    assert imported_only(**described, primary={"C1": row}).file.primary["C1"].mixture == "2xtg"
    with pytest.raises(parsing.GridError, match=r"primary\.C1\.mixture: found 'tg', allowed: a, b of study one"):
        imported_only(primary={"C1": {"study": "one", "mixture": "tg"}})
    twins = described | {"models": {"a": described["models"]["a"], "b": described["models"]["a"]}}
    with pytest.raises(
        parsing.GridError, match=r"studies.one.models: found b \(mixture tg, scale s\), which .* has as a"
    ):
        imported_only(**twins)
    with pytest.raises(parsing.GridError, match=r"models\.a\.mixture: found 'tg', allowed: nothing"):
        imported_only(models={"a": {"import": "some/a", "mixture": "tg"}, "b": {"import": "some/b"}})


def test_gpus_of_a_job():
    on_gpus = grid(hardware={"device": "H100"}, **{"scales/nano/gpus": 4})
    assert (on_gpus.gpus("nano"), on_gpus.gpus("pico"), on_gpus.gpus()) == (4, 1, 1)
    on_cpu = grid(hardware={"device": "CPU"}, **{"scales/nano/gpus": 4})
    assert (on_cpu.gpus("nano"), on_cpu.gpus()) == (0, 0)


def test_shares_of_a_gpu():
    """An algorithm's own, else those of the scale of its model; they are in no spec."""
    shares = {"scales/nano/gpu_share": 0.25, "algorithms/ppo/gpu_share": 0.5}
    on_gpus = grid(hardware={"device": "H100"}, **shares)
    nano, pico = (next(m for m in on_gpus.models.values() if m.scale == scale) for scale in ("nano", "pico"))
    assert [on_gpus.gpu_percent(nano, name) for name in (None, "ppo", "grpo")] == [25, 50, 25]
    assert [on_gpus.gpu_percent(pico, name) for name in (None, "ppo", "grpo")] == [100, 50, 100]
    assert grid(hardware={"device": "CPU"}, **shares).gpu_percent(nano) == 0
    assert changed(grid(), on_gpus) == set()
    for stage in ("tables", "claims", "report"):
        assert grid().grid_spec(stage) == on_gpus.grid_spec(stage)
    with pytest.raises(parsing.GridError, match=r"gpu_share: found 0.25 with gpus 2, allowed: 1"):
        grid(**shares, **{"scales/nano/gpus": 2})
    with pytest.raises(parsing.GridError, match=r"algorithms\.ppo\.gpu_share"):
        grid(**{"algorithms/ppo/gpu_share": 0})


def test_nodes_of_a_pretraining():
    two = {"scales/nano/gpus": 4, "scales/nano/nodes": 2}
    on_gpus = grid(hardware={"device": "H100"}, **two)
    assert (on_gpus.nodes("nano"), on_gpus.nodes("pico")) == (2, 1)
    assert grid(hardware={"device": "CPU"}, **two).nodes("nano") == 1
    with pytest.raises(parsing.GridError, match="nodes: found 3, allowed: a divisor of gpus, 4"):
        grid(**two | {"scales/nano/nodes": 3})


def test_only_the_plan_looks_at_the_hardware():
    one, other = grid(hardware={"device": "H100"}), grid(hardware={"device": "CPU"})
    assert one.grid_spec("tables") == other.grid_spec("tables")
    several = grid(**{"scales/nano/gpus": 4, "scales/nano/nodes": 2})
    assert one.grid_spec("tables") == several.grid_spec("tables")
    assert Grid.of(one.grid_spec("tables")).index() == one.index()
    assert one.grid_spec("plan") != other.grid_spec("plan")


def test_specs_survive_json():
    for spec in specs(grid()).values():
        assert parse(type(spec), spec.text()) == spec
    again = Grid.of(parse(GridSpec, grid().grid_spec("tables").text()))
    assert again.index() == grid().index()
    assert list(again.file.studies) == list(CONFIG["studies"])


def test_parts_of_a_pass_reach_the_job_as_they_were_written():
    config = parsing.read(ROOT / "tests/support/grids/three_formats.yaml")
    name, mixture = next(iter(config["mixtures"].items()))
    passes = {source: 0.5 if n == 0 else 2 for n, source in enumerate(mixture["passes"])}
    grid = parsing.parse(config | {"mixtures": config["mixtures"] | {name: mixture | {"passes": passes}}}, "demo")
    assert passes.items() <= json.loads(grid.mixture_spec(name).text())["passes"].items()


def test_a_new_setting_with_a_default_changes_no_spec():
    """The settings of a benchmark, of pretraining and of PPO grow an optional one: every text is what it was."""
    for cls, spec in (
        (Pretraining, grid().pretrain_spec(next(iter(grid().trained_models.values())))),
        (PolicyGradient, grid().posttrain_spec(grid().runs["tg+omi1+omi2/nano/seed0/grpo/synth-gsm/seed0"])),
        (Benchmark, grid().evaluate_spec(next(iter(grid().runs.values())), "synth-gsm")),
    ):
        grown = create_model("Grown", __base__=cls, novelty=(float, 0.25))
        more = grown.model_validate(spec.settings.model_dump(by_alias=True))
        assert spec.model_copy(update={"settings": more}).text() == spec.text()
        used = grown.model_validate(spec.settings.model_dump(by_alias=True) | {"novelty": 0.5})
        assert spec.model_copy(update={"settings": used}).text() != spec.text()
        assert '"version":' in spec.text()


def test_a_figure_is_not_drawn_again_for_another_figure_or_study():
    base = grid()
    (study, figure), *_ = base.figures
    another = next(name for name in CONFIG["studies"] if name != study)
    words = {f"studies/{study}/title": "another question", f"studies/{another}/figures": []}
    words[f"studies/{study}/figures"] = [figure]
    more = {f"studies/{another}/benchmarks": ["synth-gsm", "synth-math"]}
    assert grid(**words, **more).figure_spec(study, figure).text() == base.figure_spec(study, figure).text()
    assert grid(**words, **more).study_spec(study).text() == base.study_spec(study).text()
    assert grid(**words).grid_spec("tables").text() == base.grid_spec("tables").text()
    assert grid(**words).grid_spec("claims").text() != base.grid_spec("claims").text()  # it names figures
    assert grid(**words).grid_spec("report").text() != base.grid_spec("report").text()
    assert grid(**more).grid_spec("tables").text() != base.grid_spec("tables").text()


def test_the_committed_schema_is_the_settings():
    """For editors; written by `python -m echochamber.settings`."""
    committed = json.loads((ROOT / "config/schema.json").read_text(encoding="utf-8"))
    assert committed == GridFile.model_json_schema()


@pytest.mark.parametrize(
    "module",
    ["echochamber.grid.parsing", "echochamber.planning.plan", "echochamber.planning.cost", "echochamber.stats.metrics"],
)
def test_a_grid_is_read_without_torch(module):
    code = f"import sys, {module}; sys.exit('torch' in sys.modules or 'snakemake' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_ends_and_few_samples_are_of_runs_and_change_no_base_models_evaluation():
    """A base model has no checkpoints between: its evaluations by both are one and the same but for their name."""
    few, ends = (
        {"questions": "synth-gsm", "samples": 4} | more for more in ({"samples_between": 2}, {"checkpoints": "ends"})
    )
    of = grid(**{"benchmarks/few": few, "benchmarks/ends": ends})
    model, run = next(iter(of.models.values())), next(iter(of.runs.values()))
    plain = of.evaluate_spec(model, "few").model_copy(update={"question_set": "ends"})
    assert plain == of.evaluate_spec(model, "ends")
    spec = of.evaluate_spec(run, "few")
    assert (spec.settings.samples_between, spec.weights.steps) == (2, None)
    spec = of.evaluate_spec(run, "ends")
    assert spec.weights.steps == ("last",)
    assert "checkpoints" not in spec.canonical()["settings"]
    for wrong in ({"samples_between": 8}, {"samples_between": 2, "checkpoints": "ends"}):
        with pytest.raises(parsing.GridError, match="samples_between: found"):
            grid(**{"benchmarks/few": {"questions": "synth-gsm", "samples": 4} | wrong})
