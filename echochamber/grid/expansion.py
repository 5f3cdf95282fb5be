"""From a grid file to the specs of its jobs: what each depends on.

Pure: names and paths only. Imports no torch, touches no file but the grid file itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from echochamber.grid import parts, specs
from echochamber.grid.ids import Model, Probe, Run
from echochamber.grid.jobs import Jobs
from echochamber.grid.stages import VERSIONS
from echochamber.models.weights import Checkpoints, ImportedWeights, Step, Weights
from echochamber.settings import (
    OF_BEHAVIOURS,
    Benchmark,
    GridFile,
    ImportedModel,
    PromptForm,
    Source,
    SyntheticSource,
)


class Grid(Jobs):
    """The union of a grid file's studies: what there is, and the spec of each job."""

    @classmethod
    def of(cls, spec: specs.GridSpec) -> Grid:
        """The grid that a job's spec holds."""
        return cls(spec.grid, Path(spec.results))

    def tokenizer_spec(self) -> specs.TokenizerSpec:
        """Of the tokenizer that the grid's own models share.

        Raises:
            ValueError: it has none, since every model is imported.
        """
        settings = self.file.tokenizer
        if settings is None:
            raise ValueError("tokenizer: found nothing, allowed: the tokenizer of models that are trained here")
        sources: dict[str, Source] = {}
        for name in self.tokenizer_sources:  # without what cannot change the tokenizer
            source = self.file.corpora[name].model_copy(update={"shards": 1, "max_tokens": None})
            if isinstance(source, SyntheticSource) and settings.kind == "bpe":
                fewer = min(source.documents, settings.documents_per_source)
                source = source.model_copy(update={"documents": fewer})
            sources[name] = source
        hub = "hub" in (settings.kind, *(source.kind for source in sources.values()))
        return specs.TokenizerSpec(
            version=VERSIONS["tokenizer"], settings=settings, sources=sources, data=self._data(hub)
        )

    def shard_spec(self, source: str, shard: int) -> specs.ShardSpec:
        return specs.ShardSpec(
            version=VERSIONS["corpus"],
            source=source,
            shard=shard,
            settings=self.file.corpora[source],
            held_out_documents=self.file.pretraining.held_out_documents,
            tokenizer=str(self.paths.tokenizer),
            leave_out=tuple(str(path) for path in self.test_questions) if self.file.decontaminate else (),
            data=self._data(self.file.corpora[source].kind == "hub"),
        )

    def corpus_spec(self, source: str) -> specs.CorpusSpec:
        return specs.CorpusSpec(
            version=VERSIONS["corpus"],
            source=source,
            settings=self.file.corpora[source],
            held_out_documents=self.file.pretraining.held_out_documents,
        )

    def contamination_spec(self, source: str, shard: int) -> specs.ContaminationShardSpec:
        return specs.ContaminationShardSpec(
            version=VERSIONS["contamination"],
            source=source,
            shard=shard,
            settings=self.file.corpora[source],
            questions=tuple(str(self.paths.questions(*file)) for file in self.question_files),
            data=self._data(self.file.corpora[source].kind == "hub"),
        )

    def questions_spec(self, name: str, split: str) -> specs.QuestionsSpec:
        settings = self.file.question_sets[name]
        return specs.QuestionsSpec(
            version=VERSIONS["questions"],
            name=name,
            split=split,
            settings=settings,
            data=self._data(settings.kind == "hub"),
            solutions=split == "train" and name in self.solved_sets,
        )

    def _data(self, hub: bool) -> str:
        """The folder of downloads for what may come from the hub; the default, which no spec says, for all else."""
        return self.file.data if hub else specs.DATA

    def mixture_spec(self, mixture: str) -> specs.MixtureSpec:
        passes = self.passes(mixture)
        background = set(self.file.background) & set(passes) if self.file.mixtures[mixture].background else set()
        return specs.MixtureSpec(
            version=VERSIONS["mixture"],
            passes=passes,
            corpora={source: str(self.paths.corpus(source)) for source in passes},
            background=tuple(sorted(background)),
        )

    def pretrain_spec(self, model: Model) -> specs.PretrainSpec:
        """Of its pretraining, or of the last of its stages."""
        _, scale, seed = model.recipe
        settings, stream = self.file.pretraining, model.stream(self.file.pretraining.random_numbers)
        spec = specs.PretrainSpec(
            version=VERSIONS["pretrain"],
            scale=parts.unplaced(self.file.scales[scale]),
            settings=settings,
            seed=seed,
            stream=stream,
            mixture=str(self.paths.mixture(self.trained_on(model))),
            tokenizer=str(self.paths.tokenizer),
        )
        if model.before is None:
            return spec
        stage = self.file.stages[model.stages[-1]]
        change = {"settings": stage.training(settings), "stream": f"{stream}/{stage.seed}", "loss": stage.loss}
        base = Checkpoints(checkpoints=str(self.paths.job(model.before) / "checkpoints"), steps=("last",))
        return spec.model_copy(update=change | {"base": base})

    def posttrain_spec(self, run: Run) -> specs.PosttrainSpec:
        prompts = self.file.prompts[run.prompts]
        return specs.PosttrainSpec(
            version=VERSIONS["posttrain"],
            settings=parts.unplaced(self.file.algorithms[run.algorithm]),
            seed=run.seed,
            stream=run.stream(self.file.algorithms[run.algorithm].random_numbers),
            questions=str(self.paths.questions(prompts.questions, "train")),
            count=prompts.count,
            form=PromptForm(**_form(prompts)),
            base=self.base(run.model, run.from_step or "last"),
        )

    def evaluate_spec(self, job: Model | Run, benchmark: str) -> specs.EvaluateSpec:
        asked = self.file.benchmarks[benchmark]
        settings = asked.model_copy(update={"role": None, "checkpoints": "all"})
        steps: tuple[Step, ...] | None = ("last",) if asked.checkpoints == "ends" else None
        weights: Weights = Checkpoints(checkpoints=str(self.paths.job(job) / "checkpoints"), steps=steps)
        if isinstance(job, Model):
            settings = settings.model_copy(update={"samples_between": None})
            weights = self.base(job, *self.starts(job), "last")
        return specs.EvaluateSpec(
            version=VERSIONS["evaluate"],
            id=job.id,
            question_set=benchmark,
            settings=settings,
            questions=str(self.paths.questions(settings.questions, "test")),
            weights=weights,
            examples=str(self.paths.questions(settings.questions, "train")) if settings.examples else "",
        )

    def probe_spec(self, probe: Probe) -> specs.EvaluateSpec:
        """A job of the stage `evaluate`, without greedy decoding, whose benchmark is the RL prompts themselves."""
        prompts = self.file.prompts[probe.prompts]
        settings = Benchmark(
            questions=prompts.questions,
            count=prompts.count,
            samples=self.file.base_samples.samples,
            precision=self.file.base_samples.precision,
            seed=self.file.base_samples.seed,
            **_form(prompts),
            **probe.sampling.model_dump(),
        )
        return specs.EvaluateSpec(
            version=VERSIONS["evaluate"],
            id=probe.id,
            question_set=probe.prompts,
            settings=settings,
            questions=str(self.paths.questions(prompts.questions, "train")),
            weights=self.base(probe.model, probe.from_step or "last"),
            modes=("sample",),
            file="probe.parquet",
            examples=str(self.paths.questions(prompts.questions, "train")) if prompts.examples else "",
        )

    def base(self, model: Model, *steps: Step) -> Weights:
        """Where a model's weights are: a folder of checkpoints and steps of it, or an imported folder."""
        if model.imported:
            imported: ImportedModel = self.file.models[model.imported]
            return ImportedWeights(model=imported.path, revision=imported.revision, data=self.file.data)
        return Checkpoints(checkpoints=str(self.paths.job(model) / "checkpoints"), steps=steps)

    def grid_spec(self, stage: str) -> specs.GridSpec:
        """The spec of a stage that looks at many jobs: its part of the grid file, and the results folder."""
        grid = parts.part(self.file, stage)
        return specs.GridSpec(version=VERSIONS[stage], grid=grid, results=str(self.paths.root.parent))

    def measure_spec(self, job: Model | Run, benchmark: str) -> specs.MeasureSpec:
        questions = self.file.benchmarks[benchmark].questions
        run = job if isinstance(job, Run) else None
        return specs.MeasureSpec(
            version=VERSIONS["measure"],
            row=self.row(job),
            question_set=benchmark,
            samples=str(self.paths.samples(job.id, benchmark)),
            questions=str(self.paths.questions(questions, "test")),
            base=str(self.paths.samples(run.model.id, benchmark)) if run else "",
            log=str(self.paths.job(run) / "metrics.csv") if run else "",
            own=run is not None and self.file.prompts[run.prompts].questions == questions,
        )

    def label_spec(self, job: Model | Run, benchmark: str) -> specs.LabelSpec:
        run = job if isinstance(job, Run) else None
        measured = self.measure_spec(job, benchmark).model_dump() | {"version": VERSIONS["label"]}
        return specs.LabelSpec(
            **measured,
            behaviours=self.file.behaviours,
            base_labels=str(self.paths.labels(run.model.id, benchmark)) if run else "",
            algorithm=parts.unplaced(self.file.algorithms[run.algorithm]) if run else None,
        )

    def study_spec(self, study: str) -> specs.StudySpec:
        return specs.StudySpec(
            version=VERSIONS["tables"],
            grid=parts.part(self.file, "tables", study),
            results=str(self.paths.root.parent),
            study=study,
        )

    def behaviours_spec(self, study: str) -> specs.StudySpec:
        return specs.StudySpec(
            version=VERSIONS["behaviours"],
            grid=parts.part(self.file, "behaviours", study),
            results=str(self.paths.root.parent),
            study=study,
        )

    def figure_spec(self, study: str, figure: str) -> specs.FigureSpec:
        return specs.FigureSpec(
            version=VERSIONS["figure"],
            grid=parts.part(self.file, "behaviours" if figure in OF_BEHAVIOURS else "figure", study),
            results=str(self.paths.root.parent),
            study=study,
            figure=figure,
        )


def _form(prompts: PromptForm) -> dict[str, Any]:
    """How questions stand in prompts, of what else a set of prompts says."""
    return {name: getattr(prompts, name) for name in PromptForm.model_fields}


def dump(settings: GridFile) -> dict[str, Any]:
    """All settings of a grid as plain values."""
    return settings.model_dump(mode="json", by_alias=True)
