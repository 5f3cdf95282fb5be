"""Figures: each from the tables of its study alone, as PDF, PNG and the CSV of what it draws."""

from echochamber.figures import typeset

FIGURES = [f"{study}-{figure}" for study, figure in GRID.figures]
TYPESET = [f"{study}-{figure}" for study, figure in GRID.figures if figure in typeset.TABLES]


localrules:
    figures,
    figure,
    typeset_figure,


rule figures:
    input:
        expand(RESULTS / "figures/{figure}.{kind}", figure=FIGURES, kind=["pdf", "png", "csv"]),
        expand(RESULTS / "figures/{figure}.{kind}", figure=TYPESET, kind=["md", "tex"]),


rule figure:
    input:
        rules.join_study.output,
        behaviours=figure_behaviours,
    output:
        pdf=RESULTS / "figures/{study}-{figure}.pdf",
        png=report(RESULTS / "figures/{study}-{figure}.png", category=study_title, labels={"figure": "{figure}"}),
        csv=report(
            RESULTS / "figures/{study}-{figure}.csv", category=study_title, labels={"figure": "{figure}: its numbers"}
        ),
        caption=report(
            RESULTS / "figures/{study}-{figure}.caption.txt",
            category=study_title,
            labels={"figure": "{figure}: what is drawn, from how much"},
        ),
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


# The figures that are tables in the paper, from the numbers that they draw.
rule typeset_figure:
    input:
        rules.figure.output.csv,
        rules.figure.output.caption,
    output:
        markdown=RESULTS / "figures/{study}-{figure}.md",
        latex=RESULTS / "figures/{study}-{figure}.tex",
    log:
        RESULTS / "logs/figures/{study}-{figure}.typeset.log",
    benchmark:
        RESULTS / "benchmarks/figures/{study}-{figure}.typeset.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        spec=figure_spec,
        out=subpath(output[0], parent=True),
    message:
        "Table {wildcards.study}-{wildcards.figure}"
    shell:
        "job typeset_figure --spec {params.spec:q} --out {params.out:q} --log {log:q}"
