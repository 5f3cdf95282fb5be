"""Pretraining from scratch, and stages after it (`seed0+sft`): one job per mixture, scale and seed."""


rule pretrain:
    input:
        unpack(pretrain_input),
        tokenizer=rules.tokenizer.output.tokenizer,
    output:
        checkpoints=directory(RESULTS / "models/{mixture}/{scale}/seed{seed}/checkpoints"),
        metrics=RESULTS / "models/{mixture}/{scale}/seed{seed}/metrics.csv",
        timings=RESULTS / "models/{mixture}/{scale}/seed{seed}/timings.csv",
        provenance=RESULTS / "models/{mixture}/{scale}/seed{seed}/provenance.json",
    log:
        RESULTS / "logs/pretrain/{mixture}/{scale}/seed{seed}.log",
    benchmark:
        RESULTS / "benchmarks/pretrain/{mixture}/{scale}/seed{seed}.tsv"
    priority: 30
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=memory(pretrain_cost),
        runtime=minutes(pretrain_cost),
        gpu=pretrain_gpus,
        gpu_percent=pretrain_percent,
        gres=shards(pretrain_percent),
        machines=pretrain_nodes,
        # To the Slurm plugin: one task on each of so many nodes, started by launch.py and not by the plugin.
        nodes=on_several_nodes("nodes"),
        tasks=on_several_nodes("nodes"),
        tasks_per_gpu=on_several_nodes(0),
        mpi=on_several_nodes("srun"),
    params:
        spec=pretrain_spec,
        out=subpath(output.metrics, parent=True),
        state=str(GRID.paths.state("{mixture}/{scale}/seed{seed}")),
    message:
        "Pretraining {wildcards.mixture}, {wildcards.scale}, seed {wildcards.seed}"
    shell:
        "ECHO_GPU_PERCENT={resources.gpu_percent} job launch --gpus {resources.gpu} --nodes {resources.machines} pretrain "
        "--spec {params.spec:q} --out {params.out:q} --state {params.state:q} --log {log:q}"
