"""From a grid file to jobs: what there is to train and to measure, and what each job depends on.

Pure: names and paths only. Imports no torch, touches no file but the grid file itself.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

from echochamber.files import part_name
from echochamber.ids import Model, Paths, Probe, Run
from echochamber.planning.hardware import DEVICES
from echochamber.settings import (
    Benchmark,
    GridFile,
    ImportedModel,
    PolicyGradient,
    Source,
    Study,
    SyntheticSource,
)
from echochamber.stages import VERSIONS

Spec = dict[str, Any]

PLACEMENT = ("gpus", "nodes")
"""Settings of a scale that say where its pretraining runs, and change no result."""


class Grid:
    """The union of a grid file's studies, each job once, in the order of the file."""

    def __init__(self, file: GridFile, results: Path = Path("results")) -> None:
        self.file = file
        self.paths = Paths(results / file.name)

    @classmethod
    def from_spec(cls, whole: Spec) -> Grid:
        """The grid that `whole_spec` has put into a job's spec."""
        return cls(GridFile.model_validate(whole["grid"]), Path(whole["results"]))

    # --- what there is -----------------------------------------------------------------------------------------------

    def study_models(self, study: Study) -> list[Model]:
        """The models of one study: the product of its axes, and the imported ones."""
        trained = [Model(m, s, k) for m in study.mixtures for s in study.scales for k in study.model_seeds]
        return trained + [Model(None, None, None, name) for name in study.models]

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
        return {id: model for id, model in self.models.items() if not model.imported}

    @cached_property
    def imported(self) -> dict[str, ImportedModel]:
        """The settings of the models that the grid did not train and that a study has."""
        names = sorted({model.imported for model in self.models.values() if model.imported})
        return {name: self.file.models[name] for name in names}

    @cached_property
    def evaluations(self) -> dict[tuple[str, str], Model | Run]:
        """(id, benchmark) -> what is evaluated on it."""
        found: dict[tuple[str, str], Model | Run] = {}
        for study in self.file.studies.values():
            for job in (*self.study_models(study), *self.study_runs(study)):
                found |= {(job.id, benchmark): job for benchmark in study.benchmarks}
        return found

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
        found: dict[str, set[int]] = {}
        for run in self.runs.values():
            if run.from_step:
                found.setdefault(run.model.id, set()).add(run.from_step)
        return found

    @cached_property
    def mixtures(self) -> list[str]:
        return sorted({model.mixture for model in self.trained_models.values()})

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
        return [] if settings.kind == "hub" else sorted(settings.sources or self.file.corpora)

    @cached_property
    def question_files(self) -> list[tuple[str, str]]:
        """(question set, split) of all prompts and benchmarks."""
        prompts = {(self.file.prompts[run.prompts].questions, "train") for run in self.runs.values()}
        tests = {(self.file.benchmarks[name].questions, "test") for _, name in self.evaluations}
        return sorted(prompts | tests)

    @cached_property
    def test_questions(self) -> list[Path]:
        """The question files of all benchmarks: what documents are not to give away."""
        return [self.paths.questions(name, split) for name, split in self.question_files if split == "test"]

    @cached_property
    def figures(self) -> list[tuple[str, str]]:
        """(study, kind of figure)."""
        return [(name, kind) for name, study in self.file.studies.items() for kind in study.figures]

    def passes(self, mixture: str) -> dict[str, int]:
        """Source -> passes over it, the background included."""
        settings = self.file.mixtures[mixture]
        background = dict.fromkeys(self.file.background, 1) if settings.background else {}
        return dict(sorted((settings.passes | background).items()))

    def gpus(self, scale: str | None = None) -> int:
        """GPUs of one job on the planned hardware: those of the scale that it pretrains, else one; none on a CPU."""
        if not DEVICES[self.file.hardware.device].is_gpu:
            return 0
        return self.file.scales[scale].gpus if scale else 1

    def nodes(self, scale: str) -> int:
        """Machines that pretrain a scale; one on a CPU."""
        return self.file.scales[scale].nodes if self.gpus() else 1

    def shards(self, source: str) -> list[tuple[str, str]]:
        """(source, name) of its shards."""
        count = self.file.corpora[source].shards
        return [(source, part_name(i, count)) for i in range(count)]

    def index(self) -> list[dict[str, Any]]:
        """One row for every model and run, with its axes: the join key of all tables."""
        rows = []
        for job in (*self.models.values(), *self.runs.values()):
            model = job if isinstance(job, Model) else job.model
            row = {"id": job.id, "kind": "model", "model_id": model.id, "mixture": model.mixture or model.imported}
            row |= {"scale": model.scale or "imported", "model_seed": model.seed, "algorithm": None}
            row |= {
                "algorithm_kind": None,
                "prompts": None,
                "run_seed": None,
                "base_step": None,
                "samples_per_step": None,
            }
            if isinstance(job, Run):
                settings = self.file.algorithms[job.algorithm]
                row |= {"kind": "run", "algorithm": job.algorithm, "algorithm_kind": settings.kind}
                row |= {"prompts": job.prompts, "run_seed": job.seed, "base_step": job.from_step}
                if isinstance(settings, PolicyGradient):
                    row["samples_per_step"] = settings.prompts_per_batch * settings.samples_per_prompt
            rows.append(row)
        return rows

    # --- what each job depends on ------------------------------------------------------------------------------------

    def tokenizer_spec(self) -> Spec:
        settings = self.file.tokenizer
        sources = {name: dump(self.file.corpora[name]) for name in self.tokenizer_sources}
        for source in sources.values():  # without what cannot change the tokenizer
            source |= {"shards": 1, "max_tokens": None}
            if source["kind"] == "synthetic":
                source["documents"] = min(source["documents"], settings.documents_per_source)
        from_hub = "hub" in (settings.kind, *(source["kind"] for source in sources.values()))
        data = {"data": self.file.data} if from_hub else {}
        return spec("tokenizer", settings=dump(settings), sources=sources, **data)

    def corpus_spec(self, source: str, shard: int | None = None) -> Spec:
        """The spec of one shard of a corpus, or of the job that joins its shards."""
        return spec(
            "corpus",
            source=source,
            shard=shard,
            settings=dump(self.file.corpora[source]),
            held_out_documents=self.file.pretraining.held_out_documents,
            tokenizer=str(self.paths.tokenizer),
            leave_out=[str(path) for path in self.test_questions] if self.file.decontaminate else [],
            **self.data(self.file.corpora[source]),
        )

    def contamination_spec(self, source: str, shard: int) -> Spec:
        return spec(
            "contamination",
            source=source,
            shard=shard,
            settings=dump(self.file.corpora[source]),
            questions=[str(self.paths.questions(*file)) for file in self.question_files],
            **self.data(self.file.corpora[source]),
        )

    def questions_spec(self, name: str, split: str) -> Spec:
        settings = self.file.question_sets[name]
        return spec("questions", name=name, split=split, settings=dump(settings), **self.data(settings))

    def data(self, settings: Any) -> Spec:
        """The folder of downloads, for what may come from it."""
        return {"data": self.file.data} if settings.kind == "hub" else {}

    def mixture_spec(self, mixture: str) -> Spec:
        passes = self.passes(mixture)
        return spec(
            "mixture",
            passes=passes,
            corpora={source: str(self.paths.corpus(source)) for source in passes},
            background=sorted(set(self.file.background) & set(passes))
            if self.file.mixtures[mixture].background
            else [],
        )

    def pretrain_spec(self, model: Model) -> Spec:
        return spec(
            "pretrain",
            scale=without(dump(self.file.scales[model.scale]), *PLACEMENT),
            settings=dump(self.file.pretraining),
            seed=model.seed,
            mixture=str(self.paths.mixture(model.mixture)),
            tokenizer=str(self.paths.tokenizer),
        )

    def posttrain_spec(self, run: Run) -> Spec:
        prompts = self.file.prompts[run.prompts]
        return spec(
            "posttrain",
            settings=dump(self.file.algorithms[run.algorithm]),
            seed=run.seed,
            questions=str(self.paths.questions(prompts.questions, "train")),
            count=prompts.count,
            **self.base(run.model, run.from_step),
        )

    def evaluate_spec(self, job: Model | Run, benchmark: str) -> Spec:
        settings = self.file.benchmarks[benchmark]
        place: Spec = {"checkpoints": str(self.paths.job(job) / "checkpoints"), "steps": None}
        if isinstance(job, Model):
            place = self.base(job, None) | {"steps": [*self.starts(job), "last"]}
        return spec(
            "evaluate",
            id=job.id,
            question_set=benchmark,
            settings=dump(settings),
            questions=str(self.paths.questions(settings.questions, "test")),
            **place,
        )

    def probe_spec(self, probe: Probe) -> Spec:
        """A job of the stage `evaluate`, without greedy decoding, whose benchmark is the RL prompts themselves."""
        prompts = self.file.prompts[probe.prompts]
        settings = Benchmark(
            questions=prompts.questions,
            count=prompts.count,
            samples=self.file.base_samples.samples,
            seed=self.file.base_samples.seed,
            **probe.sampling.model_dump(),
        )
        place = self.base(probe.model, probe.from_step)
        if "step" in place:
            place["steps"] = [place.pop("step")]
        return spec(
            "evaluate",
            id=probe.id,
            question_set=probe.prompts,
            settings=dump(settings),
            questions=str(self.paths.questions(prompts.questions, "train")),
            modes=["sample"],
            file="probe.parquet",
            **place,
        )

    def base(self, model: Model, from_step: int | None) -> Spec:
        """Where a model's weights are: a folder of checkpoints and a step of it, or an imported folder."""
        if model.imported:
            imported: ImportedModel = self.file.models[model.imported]
            return {"model": imported.path, "revision": imported.revision, "data": self.file.data}
        return {"checkpoints": str(self.paths.job(model) / "checkpoints"), "step": from_step or "last"}

    def whole_spec(self, stage: str, **more: Any) -> Spec:
        """The spec of a stage that looks at the whole grid: the grid file and the results folder."""
        grid = dump(self.file)
        if stage != "plan":
            scales = {name: without(scale, *PLACEMENT) for name, scale in grid["scales"].items()}
            grid = without(grid | {"scales": scales}, "hardware")
        return spec(stage, grid=grid, results=str(self.paths.root.parent), **more)


def spec(stage: str, **parts: Any) -> Spec:
    """What one job depends on: plain sorted values and the version of its stage."""
    return {"version": VERSIONS[stage]} | dict(sorted(parts.items()))


def without(settings: Spec, *keys: str) -> Spec:
    """The settings but for those that change no result."""
    return {key: value for key, value in settings.items() if key not in keys}


def dump(settings: Source | SyntheticSource | Benchmark | Any) -> dict[str, Any]:
    return settings.model_dump(mode="json", by_alias=True)
