"""Behaviours: labels of the completions of each evaluation, the tables of each study, the forecast; of grids with some."""

BEHAVIOUR_TABLES = [f"behaviour_{table}.csv" for table in ["shares", "gains", "theory", "picks", "dynamics"]]
BEHAVIOUR_STUDIES = [name for name in GRID.file.studies if GRID.behaviours(name)]
BEHAVIOUR_FORECAST = [RESULTS / "behaviour_forecast.csv"] if GRID.file.behaviours else []


localrules:
    behaviours,
    label,
    join_behaviours,
    forecast_behaviours,


rule behaviours:
    input:
        expand(RESULTS / "behaviours/{study}/{table}", study=BEHAVIOUR_STUDIES, table=BEHAVIOUR_TABLES),


# Of a run after its base model, whose labels it is held against.
rule label:
    input:
        unpack(label_input),
    output:
        labels=RESULTS / "labels/{id}/{benchmark}/labels.parquet",
        measures=RESULTS / "labels/{id}/{benchmark}/measures.parquet",
    log:
        RESULTS / "logs/label/{id}/{benchmark}.log",
    benchmark:
        RESULTS / "benchmarks/label/{id}/{benchmark}.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        spec=label_spec,
        out=subpath(output.labels, parent=True),
    message:
        "Labelling {wildcards.id} on {wildcards.benchmark}"
    shell:
        "job label_evaluation --spec {params.spec:q} --out {params.out:q} --log {log:q}"


rule join_behaviours:
    input:
        unpack(behaviours_input),
    output:
        expand(RESULTS / "behaviours/{{study}}/{table}", table=BEHAVIOUR_TABLES),
    log:
        RESULTS / "logs/behaviours/{study}.log",
    benchmark:
        RESULTS / "benchmarks/behaviours/{study}.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        spec=behaviours_spec,
        out=subpath(output[0], parent=True),
    message:
        "Behaviours of {wildcards.study}"
    shell:
        "job join_behaviours --spec {params.spec:q} --out {params.out:q} --log {log:q}"


# From base models alone, as forecast.csv is.
rule forecast_behaviours:
    input:
        [GRID.paths.label_measures(*job) for job in GRID.base_evaluations],
    output:
        RESULTS / "behaviour_forecast.csv",
    log:
        RESULTS / "logs/behaviour_forecast.log",
    benchmark:
        RESULTS / "benchmarks/behaviour_forecast.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        spec=of_grid("behaviours"),
        out=subpath(output[0], parent=True),
    message:
        "Forecast of behaviours"
    shell:
        "job forecast_behaviours --spec {params.spec:q} --out {params.out:q} --log {log:q}"
