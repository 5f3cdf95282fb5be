"""What jobs ask for: GPUs, memory and minutes from their predicted cost, more of the latter two with each attempt.

Snakemake counts `gpu` only where it is limited (`--resources gpu=2`, a profile): a machine without GPUs runs every job.
"""

import math

from echochamber.planning.cost import Costs, mem_mb, runtime

COSTS = Costs(GRID)


def memory(cost):
    """The `mem_mb` of a rule whose jobs have this cost."""

    def resource(wildcards, attempt):
        return mem_mb(cost(wildcards), attempt)

    return resource


def minutes(cost):
    """The `runtime` of a rule whose jobs have this cost."""

    def resource(wildcards, attempt):
        return runtime(cost(wildcards), attempt, GRID.file.hardware.time_limit_hours)

    return resource


def pretrain_gpus(wildcards):
    return 0 if shares(pretrain_percent(wildcards)) else GRID.gpus(wildcards.scale)


def pretrain_percent(wildcards):
    model = GRID.trained_models["{mixture}/{scale}/seed{seed}".format(**wildcards)]
    return GRID.gpus(wildcards.scale) * GRID.gpu_percent(model)


def posttrain_percent(wildcards):
    run = GRID.runs[wildcards.run]
    return GRID.gpu_percent(run.model, run.algorithm)


def evaluate_percent(wildcards):
    job = GRID.evaluations[wildcards.id, wildcards.benchmark]
    return GRID.gpu_percent(getattr(job, "model", job))


def probe_percent(wildcards):
    return GRID.gpu_percent(GRID.probes[wildcards.probe].model)


def shares(percent):
    """Whether a job takes less than a GPU where that can be asked for: here, and in a Slurm that knows shards."""
    return 0 < percent < 100 and bool(HERE or GRID.file.hardware.shards)


def gpu(percent):
    """The whole GPUs of a rule whose jobs take so many hundredths of one."""

    def resource(wildcards):
        return 0 if shares(percent(wildcards)) else GRID.gpus()

    return resource


def shards(percent):
    """The `gres` of a rule whose jobs take so many hundredths of a GPU, for Slurm; None is no resource."""

    def resource(wildcards):
        each, part = GRID.file.hardware.shards, percent(wildcards)
        return None if HERE or not each or not shares(part) else f"shard:{math.ceil(part * each / 100)}"

    return resource


def pretrain_nodes(wildcards):
    return GRID.nodes(wildcards.scale)


def on_several_nodes(value):
    """A resource of the Slurm plugin that only a pretraining on several nodes has; None is no resource."""

    def resource(wildcards):
        nodes = pretrain_nodes(wildcards)
        return None if nodes == 1 else nodes if value == "nodes" else value

    return resource


def shard_cost(wildcards):
    return COSTS.corpus_shard(wildcards.source)


def pretrain_cost(wildcards):
    return COSTS.pretraining(GRID.trained_models["{mixture}/{scale}/seed{seed}".format(**wildcards)])


def posttrain_cost(wildcards):
    return COSTS.posttraining(GRID.runs[wildcards.run])


def evaluate_cost(wildcards):
    return COSTS.evaluation(GRID.evaluations[wildcards.id, wildcards.benchmark], wildcards.benchmark)


def probe_cost(wildcards):
    return COSTS.probe(GRID.probes[wildcards.probe])
