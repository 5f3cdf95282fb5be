"""Evaluation: all checkpoints of one model or run on one question set, in one job."""


rule evaluate:
    input:
        unpack(evaluate_input),
    output:
        samples=RESULTS / "evals/{id}/{benchmark}/samples.parquet",
    log:
        RESULTS / "logs/evaluate/{id}/{benchmark}.log",
    benchmark:
        RESULTS / "benchmarks/evaluate/{id}/{benchmark}.tsv"
    priority: 10
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=3000,
        runtime=720,
    params:
        spec=evaluate_spec,
        out=subpath(output.samples, parent=True),
        state=str(GRID.paths.state("evals/{id}/{benchmark}")),
    message:
        "Evaluating {wildcards.id} on {wildcards.benchmark}"
    shell:
        "job evaluate_checkpoints --spec {params.spec:q} --out {params.out:q} --state {params.state:q} --log {log:q}"
