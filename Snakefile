"""The experiment grid: mixtures x scales x algorithms x prompts x seeds as file dependencies."""

from snakemake.utils import min_version

min_version("9.0")


if not workflow.overwrite_configfiles:

    configfile: "config/demo.yaml"


include: "rules/common.smk"
include: "rules/specs.smk"
include: "rules/resources.smk"
include: "rules/corpora.smk"
include: "rules/pretrain.smk"
include: "rules/posttrain.smk"
include: "rules/evaluate.smk"
include: "rules/judge.smk"
include: "rules/behaviours.smk"
include: "rules/tables.smk"
include: "rules/figures.smk"
include: "rules/report.smk"


rule all:
    default_target: True
    input:
        rules.tables.input,
        rules.behaviours.input,
        rules.figures.input,
        rules.report.input,
