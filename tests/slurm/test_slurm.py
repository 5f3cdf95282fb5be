"""A tiny grid through the profile on a real Slurm, undisturbed and disturbed in every way that a cluster knows.

All scenarios run beside each other, each in a working folder of its own; a test looks at how its one has ended. What a
scenario disturbs is a training that stands still in its middle (SIGSTOP), so that no clock decides what is hit.
"""

import io
import json
import re
import shutil
import signal
import subprocess
import time
from concurrent.futures import Future, ThreadPoolExecutor

import pandas as pd
import pytest
from slurm_grid import Freeze, Grid, kill_node, slurm, state_of, wait_for

pytestmark = pytest.mark.timeout(900)


def plain(grid: Grid, _) -> None:
    """The whole grid: its trainings, evaluations, tables, figures and report."""
    chosen = []
    for rule in ("pretrain", "posttrain", "evaluate", "probe"):
        chosen += [f"{rule}:mem_mb=1000", f"{rule}:slurm_extra='--nodelist=n1'"]
    grid.start("--set-resources", *chosen)
    wait_for(lambda: grid.says("CUDA_VISIBLE_DEVICES"), "no training begins")
    given = slurm("scontrol", "--details", "show", "job", grid.job())
    (grid.folder / "given").write_text(given)
    frozen = grid.freeze()
    assert grid.status() == "running"
    frozen.thaw()


def time_limit(grid: Grid, _) -> Freeze:
    """The warning before a limit comes while the training is under way.

    Slurm gives it up to a minute early. So the limit is three minutes: the second time the training is long done then,
    where it would otherwise be asked while it ends, which costs a retry.
    """
    grid.train("runtime=3", "slurm_extra='--signal=TERM@20 --nodelist=n1'")
    return asked(grid)


def preempted_with_grace(grid: Grid, _) -> Freeze:
    grid.train("slurm_partition=scavenge", "slurm_extra='--nodelist=n3'")
    frozen = grid.freeze()
    take("n3")
    return asked(grid, frozen)


def preempted_at_once(grid: Grid, _) -> Freeze:
    """Without a grace time it has the cluster's KillWait to save; Slurm itself puts it back into the queue."""
    grid.train("slurm_partition=scavenge-now", "slurm_extra='--nodelist=n4'")
    frozen = grid.freeze()
    take("n4")
    return frozen


def cancelled(grid: Grid, _) -> Freeze:
    grid.train("slurm_extra='--nodelist=n1'")
    frozen = grid.freeze()
    slurm("scancel", grid.job())
    return asked(grid, frozen)


def node_killed(grid: Grid, cluster) -> Freeze:
    """The machine dies with all that runs on it; Slurm notices, and runs the job elsewhere; the machine comes back.

    Elsewhere, since no machine is back in the second in which it is given up: Slurm still has messages for the job as
    it was, and on the same machine, under the same number, the last of them may end it anew (seen 42 s later).
    """
    grid.train("slurm_extra='--nodelist=n2'")
    frozen = grid.freeze()
    job = grid.job()
    kill_node(cluster, "n2", [job])
    frozen.hit_at = time.time()
    wait_for(lambda: state_of(job) == "PENDING", "Slurm does not notice that a node is gone")
    slurm("scontrol", "update", f"JobId={job}", "ReqNodeList=n1")
    subprocess.run(["slurmd", "-N", "n2"], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return frozen


def main_process_killed(grid: Grid, _) -> Freeze:
    """SIGKILL to Snakemake; its job goes on. Then the same command, whose job finds the other one at work."""
    grid.train("slurm_extra='--nodelist=n1'")
    frozen = grid.freeze()
    grid.main.kill()
    grid.finish()
    grid.train("slurm_extra='--nodelist=n1'")
    wait_for(lambda: grid.says("waiting for the other writer"), "the second job does not wait")
    frozen.thaw()
    return frozen


def interrupted(grid: Grid, _) -> Freeze:
    """Ctrl-C: Snakemake cancels its jobs, which save. Then the same command."""
    grid.train("slurm_extra='--nodelist=n1'")
    frozen = grid.freeze()
    grid.main.send_signal(signal.SIGINT)
    asked(grid, frozen)
    grid.finish()
    wait_for(lambda: grid.status() == "interrupted", "a cancelled training does not end")
    grid.train("slurm_extra='--nodelist=n1'")
    return frozen


def two_processes(grid: Grid, _) -> Freeze:
    """A pretraining on two GPUs of one node, asked to stop by a signal that is none of the cluster's own."""
    file = grid.folder / "tiny.yaml"
    file.write_text(file.read_text().replace("femto: {width", "femto: {gpus: 2, width"))
    grid.train("slurm_extra='--nodelist=n1'")
    frozen = grid.freeze()
    slurm("scancel", "--signal=TERM", grid.job())
    return asked(grid, frozen)


def two_nodes(grid: Grid, _) -> Freeze:
    """The same on one GPU of each of two nodes, through two copies of the launcher."""
    file = grid.folder / "tiny.yaml"
    file.write_text(file.read_text().replace("femto: {width", "femto: {gpus: 2, nodes: 2, width"))
    grid.train("slurm_extra='--nodelist=n1,n3'")
    frozen = grid.freeze()
    # Now: after the interruption the job may be given other GPUs, and its log begins anew.
    (grid.folder / "given").write_text(slurm("scontrol", "--details", "show", "job", grid.job()))
    for log in (grid.log, grid.log.with_suffix(".rank1.log")):
        shutil.copy(log, grid.folder)
    slurm("scancel", "--signal=TERM", grid.job())
    return asked(grid, frozen)


def asked(grid: Grid, frozen: Freeze | None = None) -> Freeze:
    """Let the training go on once it has been asked to stop."""
    frozen = frozen or grid.freeze()
    wait_for(frozen.asked_to_stop, f"{grid.folder.name}: nobody asks the training to stop")
    frozen.thaw()
    return frozen


def take(node: str) -> None:
    """A job that may preempt what runs on a node."""
    command = ["sbatch", "--partition=gpu", f"--nodelist={node}", "--exclusive", "--mem=0", "--output=/dev/null"]
    slurm(*command, "--wrap=sleep 3")


SCENARIOS = (
    plain,
    time_limit,
    preempted_with_grace,
    preempted_at_once,
    cancelled,
    node_killed,
    main_process_killed,
    interrupted,
    two_processes,
    two_nodes,
)
FAULTS = SCENARIOS[1:-2]
AT_ONCE = 5
"""Scenarios side by side: with more of them two cores are too busy to save within the seconds of a warning."""


class Ended:
    """A scenario after its end."""

    def __init__(self, scenario, grid: Grid, cluster) -> None:
        self.grid = grid
        self.frozen = scenario(grid, cluster)
        self.status = self.grid.finish()
        self.output = self.grid.output.read_text()

    @property
    def attempts(self) -> dict[str, int]:
        return json.loads((self.grid.metrics.parent / "provenance.json").read_text())["attempts"]


@pytest.fixture(scope="module")
def scenarios(cluster, warm, tmp_path_factory) -> dict[str, Future]:
    """Name -> how it ended."""
    folder = tmp_path_factory.mktemp("scenarios")
    grids = {scenario: Grid(folder / scenario.__name__, warm) for scenario in SCENARIOS}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {scenario.__name__: pool.submit(Ended, scenario, grid, cluster) for scenario, grid in grids.items()}
        for grid in grids.values():  # where a test has failed, the others are not waited for
            if grid.main:
                grid.main.kill()


@pytest.mark.parametrize("shared", ["tried_cluster", "tried_warm", "tried_undisturbed"])
def test_what_the_tests_share_is_there(shared, request):
    tried = request.getfixturevalue(shared)
    assert tried.failure is None, tried.failure


def test_a_grid_goes_the_whole_way(scenarios):
    ended = scenarios["plain"].result()
    assert ended.status == 0, ended.output
    results = ended.grid.results
    assert len(pd.read_csv(results / "claims.csv"))
    assert (results / "report.html").stat().st_size
    submitted = len(re.findall(r"has been submitted with SLURM jobid", ended.output))
    assert submitted == 5  # pretrain, posttrain, two evaluations, the probe; not the tables, the figures, the report


@pytest.mark.parametrize("name", [scenario.__name__ for scenario in FAULTS])
def test_after_every_fault_the_metrics_are_those_of_an_undisturbed_run(scenarios, undisturbed, name):
    ended = scenarios[name].result()
    assert ended.status == 0, ended.output
    assert ended.grid.metrics.read_bytes() == undisturbed


@pytest.mark.parametrize("name", [scenario.__name__ for scenario in FAULTS])
def test_no_fault_loses_what_was_saved(scenarios, name, record_property):
    """What was lost and how long it took is noted for docs/cluster.md: see --junitxml."""
    ended = scenarios[name].result()
    print(ended.grid.told())
    attempts = ended.attempts
    if name == "main_process_killed":  # its job has gone on; the second one had nothing left to train
        assert not ended.grid.resumed()
        assert not any(attempts.values())
        return
    moment, step = ended.grid.resumed()
    assert step >= ended.frozen.step > 0
    killed = name == "node_killed"
    assert (attempts["killed"], attempts["failed"]) == (int(killed), 0)
    assert bool(attempts["interrupted"]) != killed
    record_property("seconds_lost", round(ended.frozen.unsaved_seconds, 2) if killed else 0)
    record_property("seconds_until_it_went_on", round(moment.timestamp() - ended.frozen.hit_at))


@pytest.mark.parametrize("name", ["time_limit", "preempted_with_grace", "preempted_at_once", "node_killed"])
def test_what_the_cluster_does_costs_no_retry(scenarios, name):
    output = scenarios[name].result().output
    print(scenarios[name].result().grid.told())
    assert len(re.findall("has been submitted with SLURM jobid", output)) == 1
    assert "Trying to restart" not in output


def test_a_job_sees_the_gpu_that_slurm_gave_it(scenarios):
    grid = scenarios["plain"].result().grid
    assert grid.status() == "done"
    given = re.search(r"GRES=gpu:a100:1\(IDX:(\d)\)", (grid.folder / "given").read_text())[1]
    assert f"SLURMD_NODENAME=n1, CUDA_VISIBLE_DEVICES={given}\n" in grid.log.read_text()


@pytest.mark.parametrize("name", ["two_processes", "two_nodes"])
def test_a_pretraining_in_two_processes_is_interrupted_and_goes_on(scenarios, undisturbed, name):
    ended = scenarios[name].result()
    assert ended.status == 0, ended.output
    assert len(re.findall("has been submitted with SLURM jobid", ended.output)) == 1
    assert ended.attempts == {"interrupted": 1, "failed": 0, "killed": 0}
    assert json.loads((ended.grid.metrics.parent / "provenance.json").read_text())["processes"] == 2
    assert ended.grid.resumed()[1] >= ended.frozen.step > 0
    # Two processes add up the same gradients in another order.
    found, alone = pd.read_csv(ended.grid.metrics), pd.read_csv(io.BytesIO(undisturbed))
    assert list(found["step"]) == list(alone["step"])
    assert found["loss"].to_numpy() == pytest.approx(alone["loss"].to_numpy(), rel=0.02)


def test_two_nodes_run_a_process_each_on_a_gpu_of_theirs(scenarios):
    grid = scenarios["two_nodes"].result().grid
    given = (grid.folder / "given").read_text()
    assert "NumNodes=2 " in given
    for node, log in (("n1", grid.log), ("n3", grid.log.with_suffix(".rank1.log"))):
        seen = (grid.folder / log.name).read_text()
        number = re.search(rf"Nodes=(?:{node}|n\[1,3\]) .*GRES=gpu:a100:1\(IDX:(\d)\)", given)[1]
        assert f"SLURMD_NODENAME={node}, CUDA_VISIBLE_DEVICES={number}\n" in seen
