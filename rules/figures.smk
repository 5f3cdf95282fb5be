"""Figures: each from tables alone, as PDF, PNG and the CSV of what it draws."""

FIGURES = [f"{study}-{figure}" for study, figure in GRID.figures]


localrules:
    figures,
    figure,


rule figures:
    input:
        expand(RESULTS / "figures/{figure}.{kind}", figure=FIGURES, kind=["pdf", "png", "csv"]),


rule figure:
    input:
        rules.make_tables.output,
    output:
        multiext(str(RESULTS / "figures/{study}-{figure}"), ".pdf", ".png", ".csv", ".caption.txt"),
    log:
        RESULTS / "logs/figures/{study}-{figure}.log",
    benchmark:
        RESULTS / "benchmarks/figures/{study}-{figure}.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        spec=figure_spec,
        out=subpath(output[0], parent=True),
    message:
        "Figure {wildcards.study}-{wildcards.figure}"
    shell:
        "job draw_figure --spec {params.spec:q} --out {params.out:q} --log {log:q}"
