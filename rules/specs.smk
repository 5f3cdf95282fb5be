"""What each job depends on: the specs that become params, and inputs that hang on the grid."""

from echochamber.data.inputs import vouched
from echochamber.grid.expansion import Grid
from echochamber.jobs.inputs import Contents
from echochamber.settings import OF_BEHAVIOURS

CONTENTS = Contents()


def as_params(spec):
    """A job's spec as one string, with the contents of what it reads from outside the grid: Snakemake compares it with
    the one that made the outputs."""
    return vouched(spec, CONTENTS).text()


def of_grid(stage):
    """The spec of a stage that looks at many jobs: a function, since Snakemake takes `{question}` in a string, which a
    prompt's template has, for a wildcard."""

    def spec(wildcards):
        return as_params(GRID.grid_spec(stage))

    return spec


def tokenizer_spec(wildcards):
    return as_params(GRID.tokenizer_spec())


def corpus_spec(wildcards):
    return as_params(GRID.corpus_spec(wildcards.source))


def shard_spec(wildcards):
    return as_params(GRID.shard_spec(wildcards.source, int(wildcards.shard.split("-")[0])))


def contamination_spec(wildcards):
    return as_params(GRID.contamination_spec(wildcards.source, int(wildcards.shard.split("-")[0])))


def corpus_shards(wildcards):
    return [GRID.paths.shard(*shard) for shard in GRID.shards(wildcards.source)]


def questions_spec(wildcards):
    return as_params(GRID.questions_spec(wildcards.set, wildcards.split))


def mixture_spec(wildcards):
    return as_params(GRID.mixture_spec(wildcards.mixture))


def mixture_corpora(wildcards):
    return [GRID.paths.corpus(source) / "manifest.json" for source in GRID.passes(wildcards.mixture)]


def pretrain_spec(wildcards):
    return as_params(GRID.pretrain_spec(GRID.trained_models["{mixture}/{scale}/seed{seed}".format(**wildcards)]))


def pretrain_input(wildcards):
    model = GRID.trained_models["{mixture}/{scale}/seed{seed}".format(**wildcards)]
    return {
        "mixture": GRID.paths.mixture(GRID.trained_on(model)),
        "base": base_checkpoints(model.before) if model.before else [],
    }


def posttrain_spec(wildcards):
    return as_params(GRID.posttrain_spec(GRID.runs[wildcards.run]))


def posttrain_input(wildcards):
    run = GRID.runs[wildcards.run]
    return {
        "checkpoints": base_checkpoints(run.model),
        "questions": GRID.paths.questions(GRID.file.prompts[run.prompts].questions, "train"),
    }


def base_checkpoints(model):
    """What Snakemake has to make before a model can be loaded; an imported one is there already."""
    return [] if model.imported else GRID.paths.job(model) / "checkpoints"


def evaluate_spec(wildcards):
    return as_params(GRID.evaluate_spec(GRID.evaluations[wildcards.id, wildcards.benchmark], wildcards.benchmark))


def evaluate_input(wildcards):
    job = GRID.evaluations[wildcards.id, wildcards.benchmark]
    imported = not hasattr(job, "model") and job.imported
    return {
        "checkpoints": [] if imported else GRID.paths.job(job) / "checkpoints",
        "questions": GRID.paths.questions(GRID.file.benchmarks[wildcards.benchmark].questions, "test"),
        "examples": GRID.evaluate_spec(job, wildcards.benchmark).examples or [],
    }


def probe_spec(wildcards):
    return as_params(GRID.probe_spec(GRID.probes[wildcards.probe]))


def probe_input(wildcards):
    probe = GRID.probes[wildcards.probe]
    return {
        "checkpoints": base_checkpoints(probe.model),
        "questions": GRID.paths.questions(GRID.file.prompts[probe.prompts].questions, "train"),
    }


def study_title(wildcards):
    """For `snakemake --report`."""
    return GRID.file.studies[wildcards.study].title


def measure_spec(wildcards):
    return as_params(GRID.measure_spec(GRID.evaluations[wildcards.id, wildcards.benchmark], wildcards.benchmark))


def measure_input(wildcards):
    spec = GRID.measure_spec(GRID.evaluations[wildcards.id, wildcards.benchmark], wildcards.benchmark)
    of_run = {"base": spec.base, "log": spec.log, "questions": spec.questions} if spec.base else {}
    return {"samples": spec.samples} | of_run


def label_spec(wildcards):
    return as_params(GRID.label_spec(GRID.evaluations[wildcards.id, wildcards.benchmark], wildcards.benchmark))


def label_input(wildcards):
    spec = GRID.label_spec(GRID.evaluations[wildcards.id, wildcards.benchmark], wildcards.benchmark)
    of_run = {"base": spec.base, "base_labels": spec.base_labels, "log": spec.log} if spec.base else {}
    return {"samples": spec.samples} | of_run


def behaviours_spec(wildcards):
    return as_params(GRID.behaviours_spec(wildcards.study))


def behaviours_input(wildcards):
    grid = Grid.of(GRID.study_spec(wildcards.study))
    return {
        "measures": [grid.paths.label_measures(id, benchmark) for id, benchmark in grid.evaluations],
        "outcomes": grid.paths.study(wildcards.study) / "outcomes.parquet",
    }


def figure_behaviours(wildcards):
    if wildcards.figure not in OF_BEHAVIOURS:
        return []
    return [GRID.paths.behaviours(wildcards.study) / table for table in BEHAVIOUR_TABLES]


def joined(grid):
    """What tables of a grid, or of one study, are joined from."""
    return {
        "measures": [grid.paths.measures(id, benchmark) for id, benchmark in grid.evaluations],
        "probes": [grid.paths.probe(probe) for probe in grid.probes.values()],
        "logs": grid.logs,
    }


def join_input(wildcards):
    return joined(Grid.of(GRID.study_spec(wildcards.study)))


def study_spec(wildcards):
    return as_params(GRID.study_spec(wildcards.study))


def figure_spec(wildcards):
    return as_params(GRID.figure_spec(wildcards.study, wildcards.figure))
