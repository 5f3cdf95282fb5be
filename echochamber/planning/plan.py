"""What a grid is going to do and to take, counted before anything runs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields

import pandas as pd

from echochamber.grid.expansion import Grid
from echochamber.grid.ids import Model, Run
from echochamber.planning.cost import Cost, Costs
from echochamber.settings import Study
from echochamber.stats.columns import Column, Table

STAGES = ("corpora", "pretraining", "posttraining", "evaluation")
ALL = "all"
WHOLE = "whole grid"

Jobs = dict[str, dict[object, Cost]]
"""Stage -> its jobs, by a name that two studies share where they share the job."""


PLAN = Table(
    "plan",
    "a stage of a study, or of the whole grid, where a job of several studies counts once",
    (
        Column("study", "text", "name in the grid file, or the whole grid"),
        Column("stage", "text", "`all`: their sum"),
        Column("jobs", "count", "jobs"),
        Column("tokens", "number", "that go through the model: trained on, read or generated", "tokens"),
        Column("flops", "number", "of them", "FLOPs"),
        Column("seconds", "number", "of all jobs, one after the other", "s"),
        Column("gpu_hours", "number", "0 where the planned device is a CPU", "h"),
        Column("memory_bytes", "number", "on each GPU, of the largest job", "bytes"),
        Column("host_bytes", "number", "of the machine's memory, of the largest job", "bytes"),
        Column("disk_bytes", "number", "that stays", "bytes"),
        Column("scratch_bytes", "number", "besides, while jobs run", "bytes"),
    ),
)


def plan(grid: Grid, ask: bool = False) -> pd.DataFrame:
    """Jobs and what they take, per study and stage, and of the whole grid, where a job of several studies counts once.

    Args:
        ask: whether the hub is asked for the size of imported models that are not here.

    Returns:
        The table `PLAN`; the last rows are the whole grid's.
    """
    costs = Costs(grid, ask)
    all_jobs: Jobs = {stage: {} for stage in STAGES}
    rows = []
    for name, study in grid.file.studies.items():
        jobs = _jobs(grid, costs, study)
        for stage in STAGES:
            all_jobs[stage] |= jobs[stage]
        rows += _rows(name, jobs)
    return PLAN.typed(pd.DataFrame(rows + _rows(WHOLE, all_jobs)))


def _jobs(grid: Grid, costs: Costs, study: Study) -> Jobs:
    models, runs = grid.study_models(study), grid.study_runs(study)
    trained = [each for model in models if not model.imported for each in grid.chain(model)]
    sources = sorted({source for model in trained for source in grid.passes(grid.trained_on(model))})
    probes = {probe.id: probe for probe in map(grid.probe, runs)}
    evaluated: list[Model | Run] = [*models, *runs]
    return {
        "corpora": {source: costs.corpus(source) for source in sources},
        "pretraining": {model.id: costs.pretraining(model) for model in trained},
        "posttraining": {run.id: costs.posttraining(run) for run in runs},
        "evaluation": {
            **{(job.id, name): costs.evaluation(job, name) for job in evaluated for name in study.benchmarks},
            **{(id, None): costs.probe(probe) for id, probe in probes.items()},
        },
    }


def _rows(study: str, jobs: Jobs) -> list[dict[str, object]]:
    every = [cost for stage in STAGES for cost in jobs[stage].values()]
    parts = [(stage, list(jobs[stage].values())) for stage in STAGES] + [(ALL, every)]
    return [{"study": study, "stage": stage, "jobs": len(costs)} | _sum(costs) for stage, costs in parts]


def _sum(costs: Iterable[Cost]) -> dict[str, float]:
    table = {field.name: [getattr(cost, field.name) for cost in costs] for field in fields(Cost)}
    largest = ("memory_bytes", "host_bytes")
    return {name: max(column, default=0.0) if name in largest else sum(column) for name, column in table.items()}


def readable(grid: Grid, table: pd.DataFrame) -> str:
    """The plan as text: a line a study, the whole grid by stage, and what the numbers rest on."""
    costs = Costs(grid)
    machine, device = costs.machine, grid.file.hardware.device
    reached = machine.efficiency
    studies = table[(table.stage == ALL) & (table.study != WHOLE)]
    stages = table[(table.study == WHOLE)].assign(stage=lambda frame: frame.stage.replace(ALL, WHOLE))
    counted = [source for source in grid.corpora if costs.texts.is_counted(source)]
    texts = f"tokens of {len(counted)} of {len(grid.corpora)} corpora are counted, the others estimated"
    lines = [
        f"{grid.file.name}: {grid.file.world}",
        f"on {device}{' (one core a job)' if not machine.device.is_gpu else ''} at {reached.pretraining:.0%} MFU in "
        f"pretraining, {reached.rl_update:.1%} in RL, {reached.sampling:.0%} of the bandwidth in sampling; "
        f"{texts}; docs/plan.md says how",
        "",
        _text("study", studies.study, studies, machine.device.is_gpu),
        "",
        _text("stage", stages.stage, stages, machine.device.is_gpu),
    ]
    for model in grid.models.values():
        costs.shape(model)
    for name, split in grid.question_files:
        costs.texts.questions(name, split)
    guesses = [f"guessed: {name} is taken for the paper's 1B, allowed: its `scale`" for name in sorted(costs.guessed)]
    guesses += [f"guessed: {key} has {what}, allowed: its files" for key, what in sorted(costs.texts.guessed.items())]
    return "\n".join([*lines, *guesses, *_warnings(grid, costs)])


def _text(title: str, names: pd.Series, table: pd.DataFrame, gpu: bool) -> str:
    shown = {
        title: names,
        "jobs": table.jobs,
        "tokens": table.tokens.map(_large),
        "FLOPs": table.flops.map("{:.1e}".format),
    }
    shown["hours"] = (table.seconds / 3600).map(_hours)
    if gpu:
        shown["GPU-hours"] = table.gpu_hours.map(_hours)
        shown["GPU memory"] = table.memory_bytes.map(_bytes)
    shown["memory"] = table.host_bytes.map(_bytes)
    shown["disk"] = table.disk_bytes.map(_bytes)
    shown["disk in use"] = (table.disk_bytes + table.scratch_bytes).map(_bytes)
    return pd.DataFrame(shown).to_string(index=False)


def _large(number: float) -> str:
    for size, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number:.0f}"


def _hours(hours: float) -> str:
    return f"{hours:,.0f}" if hours >= 100 else f"{hours:.2g}" if hours < 1 else f"{hours:.1f}"


def _bytes(number: float) -> str:
    for size, unit in ((1e12, "TB"), (1e9, "GB")):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number / 1e6:.0f} MB"


def _warnings(grid: Grid, costs: Costs) -> list[str]:
    """Jobs that the planned device is too small for, one line each kind."""
    limit = costs.machine.device.memory_bytes
    if limit is None:
        return []
    needed_bytes = {}
    for model in grid.trained_models.values():
        needed_bytes[f"pretraining of scale {model.scale}"] = costs.pretraining(model).memory_bytes
    for run in grid.runs.values():
        scale = run.model.scale or run.model.imported
        needed_bytes[f"{run.algorithm} at scale {scale}"] = costs.posttraining(run).memory_bytes
    return [
        f"too large: {what} needs {_bytes(bytes)}, the {grid.file.hardware.device} has {_bytes(limit)} "
        "(allowed: a smaller micro-batch, gradient_checkpointing, another device)"
        for what, bytes in needed_bytes.items()
        if bytes > limit
    ]
