"""The optional judge of errors: a job of its own, in a grid that names one. It needs a network."""


rule judge:
    input:
        samples=[GRID.paths.samples(id, benchmark) for id, benchmark in GRID.evaluations],
        questions=GRID.questions,
    output:
        RESULTS / "tables/judged.csv",
        [RESULTS / "tables/judged_pairs.csv"] if GRID.file.judge and GRID.file.judge.pairs else [],
    log:
        RESULTS / "logs/judge.log",
    benchmark:
        RESULTS / "benchmarks/judge.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=2000,
        runtime=720,
    params:
        spec=of_grid("judge"),
        out=subpath(output[0], parent=True),
        state=str(GRID.paths.state("judge")),
    message:
        "Judging errors"
    shell:
        "job judge_errors --spec {params.spec:q} --out {params.out:q} --state {params.state:q} --log {log:q}"
