"""Costs against the paper's and others' numbers, against FLOPs that torch counts, and against what it holds."""

import contextlib
import copy
import json
from pathlib import Path

import pytest
import torch
from rl_toys import tiny_model
from rl_trainers import judge, trainer_and_batch  # noqa: F401
from torch.utils.flop_counter import FlopCounterMode

from echochamber import hardware
from echochamber.grid import parsing
from echochamber.hardware import DEVICES
from echochamber.models import architecture as models
from echochamber.models import forward
from echochamber.planning import flops as count
from echochamber.planning import machine
from echochamber.planning.cost import PAPERS_LARGEST, START_SECONDS, Cost, Costs, forward_passes, mem_mb, runtime
from echochamber.planning.plan import plan, readable
from echochamber.rl.rollout import Rollout
from echochamber.sampling import generate
from echochamber.settings import Hardware, Scale

ROOT = Path(__file__).parents[3]
DEMO, PAPER = (parsing.read(ROOT / path) for path in ("tests/support/grids/three_formats.yaml", "config/paper.yaml"))
SMALL = [Scale(width=32, layers=3, heads=2, intermediate=96, tied=tied) for tied in (False, True)]


def costs(config, results=Path("nowhere"), **changes):
    config = copy.deepcopy(config)
    for path, value in changes.items():
        *keys, last = path.split("/")
        place = config
        for key in keys:
            place = place[key]
        place[last] = value
    return Costs(parsing.parse(config, "test.yaml", results))


def model(scale, vocabulary=100):
    built = models.build(scale, vocabulary=vocabulary, context=64, eos=2, pad=1, seed=0)
    built.set_attn_implementation("eager")  # its products are counted, those inside a fused kernel are not
    return built


# --- the formulas ----------------------------------------------------------------------------------------------------


def test_parameters_from_settings_alone():
    paper = costs(PAPER)
    found = {model.scale: paper.shape(model).parameters for model in paper.grid.models.values()}
    assert found == {"150m": 162_398_208, "1b": 1_139_277_824}


@pytest.mark.parametrize("scale", SMALL)
def test_flops_are_those_that_torch_counts(scale):
    shape, built, ids = count.olmo(scale, 100), model(scale), torch.randint(3, 100, (4, 48))
    assert shape.parameters == models.parameters(built)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        built(input_ids=ids)
    assert counter.get_total_flops() == ids.numel() * count.forward_per_token(shape, 48)
    with FlopCounterMode(display=False) as counter:
        built(input_ids=ids, labels=ids).loss.backward()
    assert counter.get_total_flops() == ids.numel() * count.training_per_token(shape, 48)
    assert count.training_per_token(shape, 48) == models.training_flops_per_token(built, 48)


def test_generation_token_by_token():
    """Every token of a completion looks at the prompt and at the part before it, itself by half."""
    shape = count.olmo(SMALL[0], 100)
    by_token = sum(count.forward_per_token(shape, 7 + before + 0.5) for before in range(20))
    expected = 3 * (7 * count.forward_per_token(shape, 7) + 4 * by_token)
    found = count.generation(shape, prompts=3, samples=4, prompt=7, completion=20)
    assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize(
    ("kind", "kl"),
    [
        ("ppo", {"place": "reward", "estimator": "k1", "coefficient": 0.1}),
        ("grpo", {"place": "loss", "estimator": "k3", "coefficient": 0.1}),
        ("dr_grpo", {"place": "none", "logged_on": 0.25}),
    ],
)
def test_passes_of_an_rl_step_are_those_that_the_trainer_makes(kind, kl, recompute):
    """Two passes over a rollout batch of 24 completions in updates of 12, all of 60 tokens after prompts of 5.

    The formula lets every token look at the whole row, makes logits of prompts as well, and forgets that the last token
    of a row is not fed and the last product of a layer not made again: hence the tolerance, which is less than a pass.
    """
    trainer, _ = trainer_and_batch(kind=kind, kl=kl, update_passes=2, micro_batch=12, gradient_checkpointing=recompute)
    settings = trainer.settings
    for part in (trainer.policy, trainer.reference):
        part.model.set_attn_implementation("eager")
    if trainer.critic:
        trainer.critic.model.model.set_attn_implementation("eager")
    drawn = equal_lengths(trainer, prompt=5, completion=60)
    with FlopCounterMode(display=False) as counter:
        trainer.learn(1, drawn)
    config = trainer.policy.config
    shape = count.Shape(
        parameters=models.parameters(trainer.policy.model),
        looked_up=config.vocab_size * config.hidden_size,
        layers=config.num_hidden_layers,
        width=config.hidden_size,
        kv_width=config.hidden_size,
        intermediate=config.intermediate_size,
        vocabulary=config.vocab_size,
    )
    tokens = 24 * 60 + (24 if recompute else 6) * 5
    expected = forward_passes(settings) * tokens * count.forward_per_token(shape, 65)
    assert counter.get_total_flops() == pytest.approx(expected, rel=0.08 if recompute else 0.055)


def equal_lengths(trainer, *, prompt, completion):
    """A rollout batch of random tokens; half of each group is rewarded."""
    generator = torch.Generator().manual_seed(0)
    prompts = torch.randint(3, 24, (6, prompt), generator=generator).tolist()
    completions = torch.randint(3, 24, (24, completion), generator=generator).tolist()
    verdicts = trainer_and_batch()[1].verdicts
    return Rollout(
        parts={},
        inserted=None,
        prompts=[row for row in prompts for _ in range(4)],
        completions=completions,
        logprobs=[torch.zeros(completion).numpy()] * 24,
        entropy=[0.0] * 24,
        finished=[True] * 24,
        texts=[""] * 24,
        verdicts=verdicts,
        rule="executed",
        right_steps=None,
        scores=torch.tensor([[0.0, 0.0, 1.0, 1.0]] * 6),
        seconds_generate=0.0,
        seconds_verify=0.0,
    )


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_activations_are_about_what_a_forward_pass_keeps(precision):
    scale = Scale(width=128, layers=4, heads=2, intermediate=512)
    built = models.build(scale, vocabulary=100, context=64, eos=2, pad=1, seed=0)
    held, alive = {}, []

    def keep(tensor):
        alive.append(tensor)  # or its address would be given to another
        held[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    ids = torch.randint(3, 100, (8, 64))
    low = torch.autocast("cpu", torch.bfloat16) if precision == "bf16" else contextlib.nullcontext()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), low:
        built(input_ids=ids, labels=ids)
    for weight in built.parameters():
        held.pop(weight.untyped_storage().data_ptr(), None)
    cast_weights = 2 * models.parameters(built) if precision == "bf16" else 0
    expected = machine.activations(count.olmo(scale, 100), ids.numel(), precision) + cast_weights
    assert sum(held.values()) == pytest.approx(expected, rel=0.2)


def test_limits_of_generation_are_its_own():
    assert (machine.MOST_ROWS, machine.CACHE_BYTES) == (generate.MOST_ROWS, generate.CACHE_BYTES)
    built = model(SMALL[0])
    on_cpu = machine.Machine(Hardware(device="CPU"))
    for tokens in (64, 4096, 10**7):
        expected = generate.rows_at_once(forward.LanguageModel(built), tokens)
        for precision in ("fp32", "bf16"):
            assert on_cpu.rows_at_once(count.olmo(SMALL[0], 100), tokens, precision, held=0) == expected
    gpu, shape = machine.Machine(Hardware(device="H100")), count.olmo(SMALL[0], 100)
    tokens = int(gpu.device.memory_bytes / 2 / machine.cache_per_token(shape, "fp32") / 100)
    rows = [gpu.rows_at_once(shape, tokens, precision, held=0) for precision in ("fp32", "bf16")]
    assert rows == [100, 200]


# --- numbers that others have found ----------------------------------------------------------------------------------


def test_the_reference_hours():
    """150M over 56 billion tokens 41 H100-hours at 40 % MFU, 1B 300 (the paper's mixture `tg` has 56.3 billion)."""
    paper = costs(PAPER, hardware={"device": "H100", "mfu": 0.4})
    hours = {}
    for scale in ("150m", "1b"):
        cost = paper.pretraining(paper.grid.models[f"tg/{scale}/seed0"])
        assert cost.tokens == pytest.approx(56.27e9)
        hours[scale] = cost.gpu_hours * 56 / 56.27
    assert hours == {"150m": pytest.approx(41.4, abs=0.1), "1b": pytest.approx(300.5, abs=0.5)}
    eight = paper.pretraining(paper.grid.models["8xtg/150m/seed0"])
    assert eight.tokens == pytest.approx(75e9, rel=0.002)  # "about 75B tokens"


def test_gpu_hours_count_the_share_of_a_gpu():
    quarter = costs(PAPER, hardware={"device": "H100"}, **{"scales/150m/gpu_share": 0.25})
    whole = costs(PAPER, hardware={"device": "H100"})
    run = next(run for run in whole.grid.runs.values() if run.model.scale == "150m")
    cost, full = quarter.posttraining(run), whole.posttraining(run)
    assert cost.gpu_hours == pytest.approx(full.gpu_hours / 4)
    assert cost.seconds == full.seconds


def test_an_independent_measurement():
    """The 150M model on an RTX 4090: 77k tokens a second were reported as an MFU of 49 %."""
    shape = count.olmo(Scale(width=768, layers=12, heads=12, intermediate=3072), 32_000)
    speed = machine.Machine(Hardware(device="RTX 4090", mfu=0.49)).flops_per_second("bf16")
    assert speed / count.training_per_token(shape, 2048) == pytest.approx(77e3, rel=0.01)


# --- jobs ------------------------------------------------------------------------------------------------------------


def test_several_gpus_share_the_work_of_a_pretraining():
    hardware = {"device": "H100", "mfu": 0.4}
    one, four = (costs(PAPER, hardware=hardware, **{"scales/150m/gpus": gpus}) for gpus in (1, 4))
    id = "tg/150m/seed0"
    single, shared = (each.pretraining(each.grid.models[id]) for each in (one, four))
    assert shared.seconds == pytest.approx(single.seconds / 4, rel=1e-3)
    assert shared.gpu_hours == pytest.approx(single.gpu_hours, rel=1e-3)
    assert shared.memory_bytes == single.memory_bytes
    split = costs(PAPER, hardware=hardware, **{"scales/150m/gpus": 4, "scales/150m/sharding": "fsdp2"})
    saved = shared.memory_bytes - split.pretraining(split.grid.models[id]).memory_bytes
    assert saved == pytest.approx(16 * 162_398_208 * 3 / 4)


def test_a_smaller_micro_batch_takes_less_memory_and_nothing_else():
    """65,536 tokens at a time, as fit an H100, are 32 rows of 2,048."""
    id = "tg/150m/seed0"
    found = [
        each.pretraining(each.grid.models[id])
        for each in (costs(PAPER, **{"scales/150m/micro_batch_rows": rows}) for rows in (None, 32, 8))
    ]
    assert found[0] == found[1]
    assert found[1].memory_bytes - found[2].memory_bytes == 24 * 2048 * 12 * (24 * 768 + 8 * 3072)
    assert found[2].flops == found[1].flops


def test_a_cpu_has_no_gpu_hours():
    demo = costs(DEMO)
    for run in demo.grid.runs.values():
        cost = demo.posttraining(run)
        assert (cost.gpu_hours, cost.memory_bytes) == (0, 0)
        assert 10 < cost.seconds < 120
        assert 0.5e9 < cost.host_bytes < 2e9  # measured: 0.9 to 1.1


def test_disk_is_what_is_kept():
    paper = costs(PAPER)
    run = paper.grid.runs["tg/150m/seed0/ppo/gsm8k/seed0"]
    # 1,167 steps: 15 log-spaced ones (1, 2, 3, 5, 8, 13, 21, 34, 57, 94, 155, 257, 426, 705, 1167) and 10 passes.
    steps = paper.kept_steps(run)
    assert (steps[0], steps[-1], len(steps)) == (1, 1167, 24)
    assert paper.posttraining(run).disk_bytes == 24 * 4 * 162_398_208
    fewer = costs(PAPER, **{"algorithms/ppo/checkpoint_every_pass": False, "algorithms/ppo/log_spaced_checkpoints": 3})
    assert fewer.posttraining(run).disk_bytes == 3 * 4 * 162_398_208
    model = paper.grid.models["tg/150m/seed0"]
    kept = costs(PAPER, pretraining={"checkpoints": [10, 20]})
    assert paper.pretraining(model).disk_bytes == 4 * 162_398_208
    assert kept.pretraining(model).disk_bytes == 3 * 4 * 162_398_208


def test_a_checkpoint_takes_four_bytes_a_weight(tmp_path):
    built = model(Scale(width=64, layers=2, heads=2, intermediate=256))
    built.save_pretrained(tmp_path)
    size = (tmp_path / "model.safetensors").stat().st_size
    assert size == pytest.approx(4 * models.parameters(built), rel=0.02)


@pytest.mark.parametrize("architecture", ["olmo", "llama", "mistral", "gpt_neox"])
def test_the_shape_of_an_imported_model(architecture, tmp_path):
    built = tiny_model(architecture)
    built.save_pretrained(tmp_path)
    demo = costs(DEMO, models={"mine": {"import": str(tmp_path)}}, **{"studies/kl/models": ["mine"]})
    shape = demo.shape(demo.grid.models["imported/mine"])
    assert shape.parameters == models.parameters(built)
    assert (shape.layers, shape.width, shape.vocabulary) == (2, 16, 40)
    assert shape.kv_width == (8 if architecture in ("llama", "mistral") else 16)
    assert demo.posttraining(demo.grid.runs["imported/mine/grpo/synth-gsm/seed0"]).flops > 0


def test_an_imported_model_may_have_the_name_of_a_scale():
    demo = costs(DEMO, models={"nano": {"import": "no/such/folder"}}, **{"studies/kl/models": ["nano"]})
    trained, imported = (demo.shape(demo.grid.models[id]) for id in ("tg+omi1+omi2/nano/seed0", "imported/nano"))
    assert trained == count.olmo(demo.grid.file.scales["nano"], 512)
    assert imported == count.olmo(PAPERS_LARGEST, 32_000)


def test_a_micro_batch_holds_no_more_than_an_update():
    id = "tg/150m/seed0/ppo/gsm8k/seed0"
    paper = [costs(PAPER, **{"algorithms/ppo/micro_batch": rows}) for rows in (64, 512)]
    one, other = (each.posttraining(each.grid.runs[id]).memory_bytes for each in paper)
    assert one == other


def test_an_imported_model_that_is_not_at_hand_is_taken_for_the_largest():
    demo = costs(DEMO, models={"mine": {"import": "no/such/folder"}}, **{"studies/kl/models": ["mine"]})
    assert demo.shape(demo.grid.models["imported/mine"]) == count.olmo(PAPERS_LARGEST, 32_000)


def test_an_imported_model_that_is_not_at_hand_has_the_size_that_its_settings_name():
    named = costs(DEMO, models={"mine": {"import": "no/such", "scale": "pico"}}, **{"studies/kl/models": ["mine"]})
    shape = named.shape(named.grid.models["imported/mine"])
    assert shape == count.olmo(named.grid.file.scales["pico"], named.texts.vocabulary)
    assert named.guessed == set()
    guessed = costs(DEMO, models={"mine": {"import": "no/such"}}, **{"studies/kl/models": ["mine"]})
    assert "guessed: models.mine is taken for the paper's 1B" in readable(guessed.grid, plan(guessed.grid))


def test_what_a_job_asks_for_grows_with_the_attempt():
    cost = Cost(seconds=3600, host_bytes=2e9)
    assert [mem_mb(cost, attempt) for attempt in (1, 2, 3)] == [3000, 6000, 9000]
    assert [runtime(cost, attempt, None) for attempt in (1, 2, 3)] == [120, 240, 360]
    assert [runtime(cost, attempt, 3.5) for attempt in (1, 2, 3)] == [120, 210, 210]
    assert runtime(Cost(seconds=10), 1, None) == 30


# --- texts -----------------------------------------------------------------------------------------------------------


def test_estimates_of_synthetic_texts():
    """The demo's corpora as they were counted when it ran."""
    counted = {
        "tinygsm": (9936, 1_033_697),
        "omi1": (8936, 903_053),
        "omi1-math": (936, 114_878),
        "omi2": (8936, 587_899),
        "omi2-math": (936, 80_239),
        "prose": (2436, 164_551),
        "code": (2436, 122_834),
    }
    texts = costs(DEMO).texts
    for source, (documents, tokens) in counted.items():
        assert texts.corpus(source).documents == documents
        assert texts.corpus(source).tokens == pytest.approx(tokens, rel=0.35)
    assert texts.mixture_tokens("tg+omi1+omi2") == pytest.approx(3_007_151, rel=0.1)


def test_counts_where_there_are_any(tmp_path):
    folder = tmp_path / "demo/corpora/tinygsm"
    folder.mkdir(parents=True)
    folder.joinpath("manifest.json").write_text(json.dumps({"train": {"documents": 7, "tokens": 777}}))
    tokenizer = tmp_path / "demo/tokenizer/tokenizer.json"
    tokenizer.parent.mkdir()
    tokenizer.write_text(json.dumps({"model": {"vocab": {"a": 3, "b": 4}}, "added_tokens": [{"id": 0}]}))
    there, nowhere = costs(DEMO, tmp_path), costs(DEMO)
    assert there.texts.corpus("tinygsm") == (7, 777)
    assert (there.texts.vocabulary, nowhere.texts.vocabulary) == (5, 512)
    assert there.texts.is_counted("tinygsm")
    assert not nowhere.texts.is_counted("tinygsm")


def test_a_limit_on_tokens():
    limits = {"corpora/tg/max_tokens": 150_000_000, "corpora/mmqa/max_tokens": 10**12}
    limited = costs(PAPER, **limits, pretraining={"warmup_steps": 100})  # so few tokens make few steps
    assert limited.texts.corpus("tg").tokens == 150_000_000
    assert limited.texts.corpus("mmqa") == costs(PAPER).texts.corpus("mmqa")


def test_devices_are_found_by_the_drivers_name():
    assert machine.Machine(Hardware(device="A100")).device is DEVICES["A100"]
    assert hardware.of("NVIDIA H100 80GB HBM3") is DEVICES["H100"]
    assert hardware.of("NVIDIA GeForce RTX 4090") is DEVICES["RTX 4090"]
    assert hardware.of("cpu") is hardware.of("CPU") is hardware.of("Tesla T4") is None


def evaluations(**changes):
    """Cost of an RL run's evaluation on the paper's GSM8K with these settings, and how many checkpoints are kept."""
    config = copy.deepcopy(PAPER)
    config["benchmarks"]["gsm8k"] = {"questions": "gsm8k"} | changes
    config |= {"primary": {}, "studies": {"s": config["studies"]["fig2"] | {"claims": [], "figures": []}}}
    whole = costs(config)
    run = next(run for run in whole.grid.runs.values() if run.algorithm == "ppo" and run.model.scale == "150m")
    return whole.evaluation(run, "gsm8k"), len(whole.kept_steps(run))


def test_an_evaluation_of_the_ends_and_one_of_few_samples_between():
    """Seconds of checkpoints add up, but for the start of the job."""
    every, kept = evaluations()
    ends, few = evaluations(checkpoints="ends")[0], evaluations(samples=8)[0]
    one = (every.seconds - START_SECONDS) / kept
    assert ends.seconds == pytest.approx(START_SECONDS + one)
    between, _ = evaluations(samples_between=8)
    of_few = (few.seconds - START_SECONDS) / kept
    assert between.seconds == pytest.approx(START_SECONDS + one + (kept - 1) * of_few)
    assert between.gpu_hours == pytest.approx(between.seconds / 3600)
    assert between.tokens == pytest.approx((every.tokens + (kept - 1) * few.tokens) / kept)


def test_bf16_halves_the_cache_and_so_the_batches():
    fp32, bf16 = evaluations(checkpoints="ends")[0], evaluations(checkpoints="ends", precision="bf16")[0]
    assert bf16.seconds < 0.55 * fp32.seconds
