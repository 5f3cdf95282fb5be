"""What there is to train, measure and make in a grid: the product of its studies' axes, each job once.

Pure: names and paths only.
"""

from __future__ import annotations

import itertools
from functools import cached_property
from pathlib import Path
from typing import Any

from echochamber.grid import specs
from echochamber.grid.ids import IMPORTED, Model, Paths, Probe, Run
from echochamber.hardware import DEVICES
from echochamber.jobs.files import part_name
from echochamber.settings import Benchmark, GridFile, ImportedModel, PolicyGradient, Prompts, Study


class Jobs:
    """The jobs of a grid file's studies, each once, in the order of the file."""

    def __init__(self, file: GridFile, results: Path = Path("results")) -> None:
        self.file = file
        self.paths = Paths(results / file.name)

    def study_models(self, study: Study) -> list[Model]:
        """The models of one study: the product of its axes, and the imported ones."""
        product = itertools.product(study.mixtures, study.scales, study.model_seeds)
        trained = [Model(*axes, stages=study.stages) for axes in product]
        return trained + [self._imported(name) for name in study.models]

    def _imported(self, name: str) -> Model:
        settings = self.file.models[name]
        return Model(settings.mixture, settings.scale, None, name)

    def study_runs(self, study: Study) -> list[Run]:
        """The RL runs of one study."""
        return [
            Run(model, None if model.imported else study.from_step, algorithm, prompts, seed)
            for model in self.study_models(study)
            for algorithm in study.algorithms
            for prompts in study.prompts
            for seed in study.run_seeds
        ]

    @cached_property
    def models(self) -> dict[str, Model]:
        return {model.id: model for study in self.file.studies.values() for model in self.study_models(study)}

    @cached_property
    def runs(self) -> dict[str, Run]:
        return {run.id: run for study in self.file.studies.values() for run in self.study_runs(study)}

    @cached_property
    def trained_models(self) -> dict[str, Model]:
        models = [model for model in self.models.values() if not model.imported]
        return {model.id: model for last in models for model in self.chain(last)}

    def chain(self, model: Model) -> list[Model]:
        """A trained model with all that it is trained from, the pretrained one first."""
        return [*(self.chain(model.before) if model.before else ()), model]

    def trained_on(self, model: Model) -> str:
        """The mixture of its last stage, or of its pretraining."""
        return self.file.stages[model.stages[-1]].mixture if model.stages else model.recipe[0]

    @cached_property
    def imported(self) -> dict[str, ImportedModel]:
        """The settings of the models that the grid did not train and that a study has."""
        names = sorted({model.imported for model in self.models.values() if model.imported})
        return {name: self.file.models[name] for name in names}

    @property
    def base_evaluations(self) -> list[tuple[str, str]]:
        """(model id, benchmark) of the base models, imported ones too."""
        return [key for key, job in self.evaluations.items() if isinstance(job, Model)]

    @cached_property
    def evaluations(self) -> dict[tuple[str, str], Model | Run]:
        """(id, benchmark) -> what is evaluated on it."""
        evaluated: dict[tuple[str, str], Model | Run] = {}
        for study in self.file.studies.values():
            jobs: list[Model | Run] = [*self.study_models(study), *self.study_runs(study)]
            evaluated |= {(job.id, benchmark): job for job in jobs for benchmark in study.benchmarks}
        return evaluated

    def probe(self, run: Run) -> Probe:
        """What a run starts from; runs that share model, prompts and sampling share it."""
        return Probe(run.model, run.from_step, run.prompts, self.file.algorithms[run.algorithm].sampling)

    @cached_property
    def probes(self) -> dict[str, Probe]:
        return {probe.id: probe for probe in map(self.probe, self.runs.values())}

    def starts(self, model: Model) -> list[int]:
        """The steps of a model's pretraining, besides the last, that runs start from."""
        return sorted(self._starts.get(model.id, ()))

    @cached_property
    def _starts(self) -> dict[str, set[int]]:
        starts: dict[str, set[int]] = {}
        for run in self.runs.values():
            if run.from_step:
                starts.setdefault(run.model.id, set()).add(run.from_step)
        return starts

    @cached_property
    def mixtures(self) -> list[str]:
        return sorted({self.trained_on(model) for model in self.trained_models.values()})

    @cached_property
    def corpora(self) -> list[str]:
        """Sources that a mixture of the grid holds."""
        return sorted({source for mixture in self.mixtures for source in self.passes(mixture)})

    @cached_property
    def read_corpora(self) -> list[str]:
        """Sources that any job reads: those of the mixtures, and those that the tokenizer is trained on."""
        return sorted({*self.corpora, *self.tokenizer_sources})

    @cached_property
    def tokenizer_sources(self) -> list[str]:
        """Sources that the tokenizer is trained on."""
        settings = self.file.tokenizer
        return [] if settings is None or settings.kind == "hub" else sorted(settings.sources or self.file.corpora)

    @cached_property
    def question_files(self) -> list[tuple[str, str]]:
        """(question set, split) of all prompts and benchmarks."""
        prompts = {(self.file.prompts[run.prompts].questions, "train") for run in self.runs.values()}
        tests = {(self.file.benchmarks[name].questions, "test") for _, name in self.evaluations}
        shown = {(form.questions, "train") for form in self._forms if form.examples}
        return sorted(prompts | tests | shown)

    @cached_property
    def _forms(self) -> list[Prompts | Benchmark]:
        """All prompts and benchmarks that a job has."""
        prompts = {run.prompts for run in self.runs.values()}
        benchmarks = {name for _, name in self.evaluations}
        asked: list[Prompts | Benchmark] = [self.file.prompts[name] for name in sorted(prompts)]
        return asked + [self.file.benchmarks[name] for name in sorted(benchmarks)]

    @cached_property
    def solved_sets(self) -> set[str]:
        """Question sets of whose train split worked solutions are shown in prompts."""
        return {form.questions for form in self._forms if form.examples and "{solution}" in form.examples.answer}

    @cached_property
    def test_questions(self) -> list[Path]:
        """The question files of all benchmarks: what documents are not to give away."""
        return [self.paths.questions(name, split) for name, split in self.question_files if split == "test"]

    def behaviours(self, study: str) -> list[str]:
        """The behaviours that a study shows."""
        shown = self.file.studies[study].behaviours
        return list(self.file.behaviours if shown is None else shown)

    @cached_property
    def figures(self) -> list[tuple[str, str]]:
        """(study, kind of figure)."""
        return [(name, kind) for name, study in self.file.studies.items() for kind in study.figures]

    @property
    def samples(self) -> list[Path]:
        """The samples of all evaluations and of the base models on the RL prompts."""
        probes = [self.paths.probe(probe) for probe in self.probes.values()]
        return [self.paths.samples(*evaluation) for evaluation in self.evaluations] + probes

    @property
    def logs(self) -> list[Path]:
        """metrics.csv of all models that are trained and of all runs."""
        jobs: list[Model | Run] = [*self.trained_models.values(), *self.runs.values()]
        return [self.paths.job(job) / "metrics.csv" for job in jobs]

    @property
    def questions(self) -> list[Path]:
        """The files of all question sets."""
        return [self.paths.questions(*file) for file in self.question_files]

    @property
    def measured(self) -> list[Path]:
        """What the tables are joined from: measures of all evaluations, base models on the RL prompts, logs."""
        probes = [self.paths.probe(probe) for probe in self.probes.values()]
        return [self.paths.measures(*evaluation) for evaluation in self.evaluations] + probes + self.logs

    @property
    def tables(self) -> list[Path]:
        """The tables of the whole grid that there are."""
        return _tables(self.paths.tables)

    def study_tables(self, *studies: str) -> list[Path]:
        """The tables of studies that there are."""
        return [file for study in studies for file in _tables(self.paths.study(study))]

    def passes(self, mixture: str) -> dict[str, float]:
        """Source -> passes over it, the background included."""
        settings = self.file.mixtures[mixture]
        background = dict.fromkeys(self.file.background, 1) if settings.background else {}
        return dict(sorted((settings.passes | background).items()))

    def gpus(self, scale: str | None = None) -> int:
        """GPUs of one job on the planned hardware: those of the scale that it pretrains, else one; none on a CPU."""
        if not DEVICES[self.file.hardware.device].is_gpu:
            return 0
        return self.file.scales[scale].gpus if scale else 1

    def gpu_percent(self, model: Model, algorithm: str | None = None) -> int:
        """Hundredths of one GPU that a job takes: as its algorithm says, else the scale of its model; 0 on a CPU.

        Args:
            algorithm: of an RL run; none: another job of the model.
        """
        if not self.gpus():
            return 0
        share = self.file.algorithms[algorithm].gpu_share if algorithm else None
        if share is None:
            share = self.file.scales[model.scale].gpu_share if model.scale in self.file.scales else 1.0
        return round(100 * share)

    def nodes(self, scale: str) -> int:
        """Machines that pretrain a scale; one on a CPU."""
        return self.file.scales[scale].nodes if self.gpus() else 1

    def shards(self, source: str) -> list[tuple[str, str]]:
        """(source, name) of its shards."""
        count = self.file.corpora[source].shards
        return [(source, part_name(i, count)) for i in range(count)]

    def index(self) -> list[dict[str, Any]]:
        """`row` of every model and run, as plain values."""
        jobs: list[Model | Run] = [*self.models.values(), *self.runs.values()]
        return [self.row(job).model_dump() for job in jobs]

    def row(self, job: Model | Run) -> specs.Row:
        """A model or run with its axes: the join key of all tables."""
        model = job if isinstance(job, Model) else job.model
        row = specs.Row(
            id=job.id,
            kind="model",
            model_id=model.id,
            mixture=str(model.mixture or model.imported),
            scale=model.scale or IMPORTED,
            model_seed=model.seed,
            random_numbers=None if model.imported else self.file.pretraining.random_numbers,
        )
        if isinstance(job, Model):
            return row
        settings = self.file.algorithms[job.algorithm]
        of_run: dict[str, Any] = {"kind": "run", "algorithm": job.algorithm, "algorithm_kind": settings.kind}
        of_run |= {"prompts": job.prompts, "run_seed": job.seed, "base_step": job.from_step}
        of_run["start"] = job.start or None
        of_run["random_numbers"] = settings.random_numbers
        if isinstance(settings, PolicyGradient) and settings.same_each_step:
            of_run["samples_per_step"] = settings.prompts_per_batch * settings.samples_per_prompt
        return row.model_copy(update=of_run)


def _tables(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.*") if path.suffix in (".csv", ".parquet"))
