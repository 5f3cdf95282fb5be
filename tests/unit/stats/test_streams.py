"""Independent jobs draw independent numbers; a coupled pair draws the same ones."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import torch

from echochamber.grid import parsing
from echochamber.grid.ids import Model, Run
from echochamber.rl.rewards import Judged, earned
from echochamber.rl.schedule import prompt_numbers
from echochamber.sampling.draw import random_stream, uniforms
from echochamber.settings import Pretraining
from echochamber.stats.streams import BITS, stream_seed

GRID = Path(__file__).parents[2] / "support/grids/three_formats.yaml"


def test_a_stream_is_the_hash_of_its_names():
    """By sha256sum: the first 56 bits of SHA-256 of "('tg/nano/seed0', 'sample', 3)"."""
    assert stream_seed("tg/nano/seed0", "sample", 3) == 0xB8AE79A1C2B87E
    assert stream_seed("a", "b") != stream_seed("a/b") != stream_seed("ab")
    assert 0 <= stream_seed("x") < 2**BITS


def test_every_job_of_a_grid_has_its_own_stream_unless_it_is_coupled():
    config = parsing.read(GRID)
    grid = parsing.parse(config, "demo")
    specs = [grid.pretrain_spec(model) for model in grid.trained_models.values()]
    specs += [grid.posttrain_spec(run) for run in grid.runs.values()]
    assert len({spec.stream for spec in specs}) == len(specs)
    for algorithm in config["algorithms"].values():
        algorithm["random_numbers"] = "common"
    coupled = parsing.parse(config | {"pretraining": config["pretraining"] | {"random_numbers": "common"}}, "demo")
    for run in coupled.runs.values():
        assert coupled.posttrain_spec(run).stream == f"seed{run.model.seed}/seed{run.seed}"
    assert {coupled.pretrain_spec(model).stream for model in coupled.trained_models.values()} == {
        f"seed{model.seed}" for model in coupled.trained_models.values()
    }
    assert Pretraining().random_numbers == "independent"


def test_formats_drawn_by_independent_models_do_not_move_together():
    """Which format opens a completion, as models of unequal shares draw it: no correlation between 12 base models."""

    def opens(name: str, share: float) -> np.ndarray:
        generator = torch.Generator().manual_seed(stream_seed(stream_seed(name), "sample", 1))
        return uniforms(1, 4096, generator, torch.device("cpu")).numpy().ravel() < share

    models = [opens(f"tg/nano/seed{k}/grpo/q/seed0", 0.2 + 0.05 * k) for k in range(12)]
    correlations = [np.corrcoef(a, b)[0, 1] for a, b in combinations(models, 2)]
    assert np.abs(correlations).max() < 4.5 / np.sqrt(4096)  # 66 pairs: beyond 4.5 deviations once in 2,000 suites
    same = [opens("seed0", share) for share in (0.3, 0.5)]
    assert np.corrcoef(*same)[0, 1] > 0.6


RUNS = [
    Run(Model(mixture, scale, model_seed), None, algorithm, "q", run_seed)
    for mixture in ("tg", "tg+omi1")
    for scale in ("nano", "micro")
    for model_seed in (0, 1)
    for algorithm in ("grpo", "ppo", "ei")
    for run_seed in (0, 1, 2)
][:50]


def drawn(stream: str) -> dict[str, np.ndarray]:
    """What a run draws in one step for each purpose."""
    seed = stream_seed(stream)
    return {
        "sample": uniforms(4, 512, random_stream(seed, "sample", 3), torch.device("cpu")).numpy().ravel(),
        "reward": earned("random", Judged([], [], [], [], [None] * 2048, 1, random_stream(seed, "reward", 3)))[
            0
        ].numpy(),
        "prompts": np.array(prompt_numbers(0, 2048, 2048, seed), dtype=float),
        "updates": torch.randperm(2048, generator=random_stream(seed, "order", 3, 0)).numpy().astype(float),
    }


def test_fifty_runs_draw_fifty_times_other_numbers_and_none_correlate():
    each = [drawn(run.stream("independent")) for run in RUNS]
    for purpose in each[0]:
        numbers = np.stack([of_run[purpose] for of_run in each])
        assert len({row.tobytes() for row in numbers}) == 50
        correlations = np.corrcoef(numbers)[np.triu_indices(50, 1)]
        assert np.abs(correlations).max() < 5 / np.sqrt(2048)  # of 1,225 pairs: beyond 5 deviations once in 1,400
        assert abs(correlations.mean()) < 4 / np.sqrt(2048 * 1225)
    purposes = np.corrcoef(np.stack(list(each[0].values())))[np.triu_indices(len(each[0]), 1)]
    assert np.abs(purposes).max() < 5 / np.sqrt(2048)


def test_an_equal_identity_draws_the_same_bits():
    for run in RUNS[:5]:
        one, two = drawn(run.stream("independent")), drawn(run.stream("independent"))
        assert all(one[purpose].tobytes() == two[purpose].tobytes() for purpose in one)


def test_common_numbers_pair_settings_and_never_replicates():
    by_stream: dict[str, set[tuple[int | None, int]]] = {}
    for run in RUNS:
        by_stream.setdefault(run.stream("common"), set()).add((run.model.seed, run.seed))
    assert len(by_stream) == 6  # 2 pretraining seeds times 3 run seeds
    assert all(len(replicates) == 1 for replicates in by_stream.values())
    imported = [Run(Model(None, None, None, name), None, "grpo", "q", 0) for name in ("olmo", "llama")]
    assert len({run.stream("common") for run in imported}) == 2
    models = [Model(mixture, "nano", seed) for mixture in ("tg", "tg+omi1") for seed in (0, 1)]
    assert [model.stream("common") for model in models] == ["seed0", "seed1"] * 2
