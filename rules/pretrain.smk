"""Pretraining from scratch: one job per mixture, scale and seed."""


rule pretrain:
    input:
        mixture=RESULTS / "mixtures/{mixture}.json",
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
    params:
        spec=pretrain_spec,
        out=subpath(output.metrics, parent=True),
        state=str(GRID.paths.state("{mixture}/{scale}/seed{seed}")),
    message:
        "Pretraining {wildcards.mixture}, {wildcards.scale}, seed {wildcards.seed}"
    shell:
        "job launch --gpus {resources.gpu} pretrain "
        "--spec {params.spec:q} --out {params.out:q} --state {params.state:q} --log {log:q}"
