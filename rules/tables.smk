"""Tables: one row per observation, from samples and training metrics; and the verdicts on the claims."""

TABLES = ["scores", "training", "gains", "decomposition", "coverage", "styles", "theory", "scorers", "samples", "runs"]
TABLES += ["errors", "process", "error_examples"]
TABLES += ["dynamics", "outcomes", "drift", "picks", "selection", "power"]

JUDGED = rules.judge.output if GRID.file.judge else []

TABLE_INPUT = {
    "samples": [GRID.paths.samples(id, benchmark) for id, benchmark in GRID.evaluations],
    "questions": [GRID.paths.questions(*file) for file in GRID.question_files],
    "probes": [GRID.paths.probe(probe) for probe in GRID.probes.values()],
    "models": [GRID.paths.job(model) / "metrics.csv" for model in GRID.trained_models.values()],
    "runs": [GRID.paths.job(run) / "metrics.csv" for run in GRID.runs.values()],
}


localrules:
    tables,
    make_tables,
    claims,


rule tables:
    input:
        expand(RESULTS / "tables/{table}.csv", table=TABLES),
        JUDGED,
        RESULTS / "claims.csv",


rule make_tables:
    input:
        **TABLE_INPUT,
    output:
        expand(RESULTS / "tables/{table}.csv", table=TABLES),
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
        spec=as_params(GRID.whole_spec("tables")),
        out=subpath(output[0], parent=True),
    message:
        "Tables"
    shell:
        "job make_tables --spec {params.spec:q} --out {params.out:q} --log {log:q}"


rule claims:
    input:
        rules.make_tables.output,
    output:
        RESULTS / "claims.csv",
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
        spec=as_params(GRID.whole_spec("claims")),
        out=subpath(output[0], parent=True),
    message:
        "Claims"
    shell:
        "job judge_claims --spec {params.spec:q} --out {params.out:q} --log {log:q}"
