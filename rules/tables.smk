"""Tables: what each evaluation adds to them, joined for each study and for the grid; and the verdicts on the claims."""

TABLES = ["scores", "training", "gains", "per_question", "decomposition", "coverage", "styles", "theory", "scorers"]
TABLES += ["runs", "errors", "process", "dynamics", "outcomes", "drift", "picks", "selection", "power"]
TABLE_FILES = [f"{table}.csv" for table in TABLES]
TEXTS = ["samples", "error_examples"]
TABLE_FILES += [f"{table}.parquet" for table in TEXTS]
SHOWN = {  # by `snakemake --report`
    "scores.csv": "pass@k, majority@k, shares and accuracies",
    "gains.csv": "gains over the base models",
    "decomposition.csv": "gains as selection between formats and refinement within them",
    "coverage.csv": "questions gained and lost",
}

JUDGED = rules.judge.output if GRID.file.judge else []


localrules:
    tables,
    measure,
    join_study,
    make_tables,
    forecast,
    make_forecast,
    claims,


rule tables:
    input:
        expand(RESULTS / "tables/{file}", file=TABLE_FILES),
        JUDGED,
        RESULTS / "claims.csv",


THRESHOLDS = [
    Path(workflow.basedir) / "echochamber/analysis/claims" / name
    for name in ("thresholds.yaml", *pack_thresholds(GRID.file))
]


# From the samples of a model, or of a run and its base model. Local, as all that takes seconds.
rule measure:
    input:
        unpack(measure_input),
    output:
        RESULTS / "measures/{id}/{benchmark}.parquet",
    log:
        RESULTS / "logs/measure/{id}/{benchmark}.log",
    benchmark:
        RESULTS / "benchmarks/measure/{id}/{benchmark}.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        spec=measure_spec,
        out=subpath(output[0], parent=True),
    message:
        "Measuring {wildcards.id} on {wildcards.benchmark}"
    shell:
        "job measure_evaluation --spec {params.spec:q} --out {params.out:q} --log {log:q}"


# For figures and claims: of the runs of one study alone, so that another study changes nothing of them.
rule join_study:
    input:
        unpack(join_input),
        thresholds=THRESHOLDS,
    output:
        expand(RESULTS / "studies/{{study}}/{table}.parquet", table=[*TABLES, *TEXTS]),
    log:
        RESULTS / "logs/studies/{study}.log",
    benchmark:
        RESULTS / "benchmarks/studies/{study}.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        spec=study_spec,
        out=subpath(output[0], parent=True),
    message:
        "Tables of {wildcards.study}"
    shell:
        "job join_study --spec {params.spec:q} --out {params.out:q} --log {log:q}"


# For people and the report.
rule make_tables:
    input:
        **joined(GRID),
        thresholds=THRESHOLDS,
    output:
        [
            report(RESULTS / "tables" / file, category="The whole grid", labels={"what": what})
            for file, what in SHOWN.items()
        ],
        expand(RESULTS / "tables/{file}", file=[file for file in TABLE_FILES if file not in SHOWN]),
    log:
        RESULTS / "logs/tables.log",
    benchmark:
        RESULTS / "benchmarks/tables.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        spec=of_grid("tables"),
        out=subpath(output[0], parent=True),
    message:
        "Tables"
    shell:
        "job make_tables --spec {params.spec:q} --out {params.out:q} --log {log:q}"


# From base models alone: it can be asked for before any RL.
rule forecast:
    input:
        RESULTS / "forecast.csv",
        BEHAVIOUR_FORECAST,


rule make_forecast:
    input:
        samples=[GRID.paths.samples(*job) for job in GRID.base_evaluations],
    output:
        RESULTS / "forecast.csv",
    log:
        RESULTS / "logs/forecast.log",
    benchmark:
        RESULTS / "benchmarks/forecast.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        spec=of_grid("forecast"),
        out=subpath(output[0], parent=True),
    message:
        "Forecast"
    shell:
        "job make_forecast --spec {params.spec:q} --out {params.out:q} --log {log:q}"


rule claims:
    input:
        expand(rules.join_study.output, study=[name for name, study in GRID.file.studies.items() if study.claims]),
        thresholds=THRESHOLDS,
    output:
        report(RESULTS / "claims.csv", category="The whole grid", labels={"what": "verdicts on the claims"}),
    log:
        RESULTS / "logs/claims.log",
    benchmark:
        RESULTS / "benchmarks/claims.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        spec=of_grid("claims"),
        out=subpath(output[0], parent=True),
    message:
        "Claims"
    shell:
        "job judge_claims --spec {params.spec:q} --out {params.out:q} --log {log:q}"
