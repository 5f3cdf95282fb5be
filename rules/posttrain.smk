"""RL and Expert Iteration: one job per model, algorithm, prompts and seed."""


rule posttrain:
    input:
        unpack(posttrain_input),
    output:
        checkpoints=directory(RESULTS / "runs/{run}/checkpoints"),
        metrics=RESULTS / "runs/{run}/metrics.csv",
        timings=RESULTS / "runs/{run}/timings.csv",
        provenance=RESULTS / "runs/{run}/provenance.json",
    log:
        RESULTS / "logs/posttrain/{run}.log",
    benchmark:
        RESULTS / "benchmarks/posttrain/{run}.tsv"
    priority: 20
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=memory(posttrain_cost),
        runtime=minutes(posttrain_cost),
        gpu=gpu(posttrain_percent),
        gpu_percent=posttrain_percent,
        gres=shards(posttrain_percent),
    params:
        spec=posttrain_spec,
        out=subpath(output.metrics, parent=True),
        state=str(GRID.paths.state("{run}")),
    message:
        "Post-training {wildcards.run}"
    shell:
        "ECHO_GPU_PERCENT={resources.gpu_percent} job posttrain "
        "--spec {params.spec:q} --out {params.out:q} --state {params.state:q} --log {log:q}"
