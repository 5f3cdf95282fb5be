"""SIGKILL at any moment, then the same command: metrics and weights equal those of a run that nobody disturbed."""

import contextlib
import os
import random
import signal
import time

import pandas as pd
import pytest
from nursery import KINDS, Nursery, outcome

KILLS = 5


@pytest.fixture(scope="module")
def nursery():
    with Nursery() as nursery:
        yield nursery


@pytest.fixture(scope="module")
def undisturbed(nursery, tmp_path_factory):
    """Per kind of training: what a run without interruption gives, and the seconds that it takes."""
    results = {}
    for kind in KINDS:
        folder = tmp_path_factory.mktemp(kind)
        started = time.monotonic()
        assert nursery.run(kind, folder) == 0
        seconds = time.monotonic() - started
        results[kind] = outcome(folder), seconds
        assert len(results[kind][0]["kept"]) >= 3
    return results


def rows_so_far(folder):
    """Of the metrics.csv that grows, without what is empty."""
    file = folder / "metrics.csv"
    if not file.exists():
        return []
    rows = pd.read_csv(file, float_precision="round_trip").to_dict("records")
    return without_empty(rows)


def without_empty(rows):
    return [{name: value for name, value in row.items() if not pd.isna(value)} for row in rows]


@pytest.mark.parametrize("kind", KINDS)
def test_killed_at_random_moments(nursery, undisturbed, tmp_path, kind):
    result, seconds = undisturbed[kind]
    whole = without_empty(result["metrics"])
    prefixes = [whole[:n] for n in range(len(whole) + 1)]
    draw = random.Random(f"kills of {kind}")
    killed = runs = 0
    while killed < KILLS:
        here = tmp_path / str(runs)  # a run that was faster than its kills has ended well; then another one
        child = nursery.start(kind, here)
        time.sleep(draw.uniform(0.02, 0.3) * seconds)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        status = nursery.wait()
        assert status in (0, -signal.SIGKILL)
        killed += status != 0
        assert rows_so_far(here) in prefixes
        if status == 0:
            assert outcome(here) == result
            runs += 1
            seconds *= 0.7  # the machine was busier when the time was taken
    assert nursery.run(kind, here) == 0
    assert outcome(here) == result


@pytest.mark.parametrize("at", ["half", "rotated", "kept"])
@pytest.mark.parametrize("kind", KINDS)
def test_killed_inside_a_checkpoint_write(nursery, undisturbed, tmp_path, kind, at):
    assert nursery.run(kind, tmp_path, {"write": 3, "at": at}) == -signal.SIGKILL
    assert not (tmp_path / "done.pt").exists()
    if at == "kept":
        assert len(list(tmp_path.glob("checkpoints/.step_*"))) == 1
        assert len(list(tmp_path.glob("checkpoints/step_*"))) == 2
    else:
        assert (tmp_path / "previous").exists()
        assert (tmp_path / "latest").exists() == (at == "half")
    assert nursery.run(kind, tmp_path) == 0
    assert outcome(tmp_path) == undisturbed[kind][0]


@pytest.mark.parametrize("kind", KINDS)
def test_sigterm_saves_and_exits_with_75(nursery, undisturbed, tmp_path, kind):
    result, seconds = undisturbed[kind]
    draw = random.Random(f"stops of {kind}")
    status, tries = None, 0
    while status != 75:
        here = tmp_path / str(tries)
        process = nursery.start(kind, here)
        time.sleep(draw.uniform(0.1, 0.5) * seconds)
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGTERM)
        status = nursery.wait()
        assert status in (75, 0, -signal.SIGTERM)  # over, or not yet listening: once more
        seconds *= 0.7 if status == 0 else 1.0
        tries += 1
        assert tries < 20
    assert (here / "latest/state.pt").exists()
    assert nursery.run(kind, here) == 0
    assert outcome(here) == result


@pytest.mark.parametrize("kind", KINDS)
def test_a_truncated_state_is_passed_over(nursery, undisturbed, tmp_path, kind):
    assert nursery.run(kind, tmp_path, {"write": 4, "at": "half"}) == -signal.SIGKILL
    file = tmp_path / "latest/state.pt"
    os.truncate(file, file.stat().st_size // 2)
    assert nursery.run(kind, tmp_path) == 0
    assert outcome(tmp_path) == undisturbed[kind][0]
