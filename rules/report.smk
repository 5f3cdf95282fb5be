"""The report page, the plan of what there is to do, and how far it is."""


localrules:
    report,
    write_report,
    report_now,
    compare,
    publish,
    plan,
    status,


rule report:
    input:
        RESULTS / "report.html",


rule write_report:
    input:
        rules.make_tables.output,
        rules.claims.output,
        rules.behaviours.input,
        JUDGED,
        expand(RESULTS / "figures/{figure}.png", figure=FIGURES),
        [GRID.paths.samples(*evaluation) for evaluation in GRID.evaluations],
        expand(RESULTS / "figures/{figure}.md", figure=TYPESET),
        [GRID.paths.job(job) / "provenance.json" for job in (*GRID.trained_models.values(), *GRID.runs.values())],
        [GRID.paths.mixture(mixture) for mixture in GRID.mixtures],
        GRID.questions,
    output:
        page=report(RESULTS / "report.html", category="The whole grid", labels={"what": "the report page"}),
        beside=directory(RESULTS / "report"),  # completions that are too many for one page
    log:
        RESULTS / "logs/report.log",
    benchmark:
        RESULTS / "benchmarks/report.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        spec=of_grid("report"),
        out=subpath(output[0], parent=True),
    message:
        "Report"
    shell:
        "job write_report --spec {params.spec:q} --out {params.out:q} --log {log:q}"


# Of what is finished, into now/. Without inputs and outputs: each time that it is asked for, of what is there.
rule report_now:
    log:
        RESULTS / "logs/report_now.log",
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        spec=as_params(GRID.grid_spec("report")),
    message:
        "Report of what is finished"
    shell:
        "script write_report_now --spec {params.spec:q} 2> {log:q}"


# `snakemake compare --config with=results/other`
rule compare:
    input:
        RESULTS / "report.html",
    log:
        RESULTS / "logs/compare.log",
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        here=RESULTS,
        there=WITH,
    message:
        "Comparison with {params.there}"
    shell:
        "script compare_grids {params.here:q} {params.there:q} 2> {log:q}"


# `snakemake publish --config run=ID` lays out and lists; `to=OWNER/NAME` uploads, private without `public=true`.
rule publish:
    input:
        RESULTS / "report.html",
    log:
        RESULTS / "logs/publish.log",
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        spec=of_grid("report"),
        what=PUBLISHED,
    message:
        "Publishing {params.what}"
    shell:
        "(script publish --spec {params.spec:q} {params.what:q}) 2> {log:q} || {{ cat {log:q} >&2; exit 1; }}"


# Without a declared output, so that it is printed each time that it is asked for. Writes plan.csv.
rule plan:
    log:
        RESULTS / "logs/plan.log",
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=500,
        runtime=10,
    params:
        spec=of_grid("plan"),
        out=RESULTS,
    message:
        "Plan"
    shell:
        "job make_plan --spec {params.spec:q} --out {params.out:q} 2> {log:q}"


rule status:  # without inputs and outputs: it may run beside a working grid
    log:
        RESULTS / "logs/status.log",
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=500,
        runtime=10,
    params:
        spec=of_grid("status"),
    message:
        "Status"
    shell:
        "script show_status --spec {params.spec:q} 2> {log:q}"
