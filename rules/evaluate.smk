"""Evaluation: all checkpoints of one model or run on one question set, in one job; base models on the RL prompts."""


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
        mem_mb=memory(evaluate_cost),
        runtime=minutes(evaluate_cost),
        gpu=gpu(evaluate_percent),
        gpu_percent=evaluate_percent,
        gres=shards(evaluate_percent),
    params:
        spec=evaluate_spec,
        out=subpath(output.samples, parent=True),
        state=str(GRID.paths.state("evals/{id}/{benchmark}")),
    message:
        "Evaluating {wildcards.id} on {wildcards.benchmark}"
    shell:
        "ECHO_GPU_PERCENT={resources.gpu_percent} job evaluate_checkpoints "
        "--spec {params.spec:q} --out {params.out:q} --state {params.state:q} --log {log:q}"


rule probe:
    input:
        unpack(probe_input),
    output:
        samples=RESULTS / "evals/{probe}/probe.parquet",
    log:
        RESULTS / "logs/probe/{probe}.log",
    benchmark:
        RESULTS / "benchmarks/probe/{probe}.tsv"
    priority: 10
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=memory(probe_cost),
        runtime=minutes(probe_cost),
        gpu=gpu(probe_percent),
        gpu_percent=probe_percent,
        gres=shards(probe_percent),
    params:
        spec=probe_spec,
        out=subpath(output.samples, parent=True),
        state=str(GRID.paths.state("probes/{probe}")),
    message:
        "Sampling the base model {wildcards.probe} on the RL prompts"
    shell:
        "ECHO_GPU_PERCENT={resources.gpu_percent} job evaluate_checkpoints "
        "--spec {params.spec:q} --out {params.out:q} --state {params.state:q} --log {log:q}"


# Without a declared output, so that it is printed each time that it is asked for.
rule show_prompt:
    name:
        "show-prompt"
    input:
        GRID.questions,
        rules.tokenizer.output if GRID.trained_models else [],
    log:
        RESULTS / "logs/show-prompt.log",
    localrule: True
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        spec=of_grid("show_prompt"),
        out=RESULTS,
    message:
        "Prompts"
    shell:
        "job show_prompt --spec {params.spec:q} --out {params.out:q} 2> {log:q}"
