"""Settings of measurement and studies, and the grid file as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from echochamber.algorithms import Algorithm
from echochamber.schema import Name, OneOf, Precision, Seed, Settings
from echochamber.settings import chain, checks
from echochamber.settings.behaviours import Behaviour
from echochamber.settings.chain import Stage
from echochamber.settings.claims import CLAIMS, Primary, unknown_primaries
from echochamber.settings.hardware import Hardware
from echochamber.settings.judge import Judge
from echochamber.settings.possible import impossible
from echochamber.settings.prompts import PromptForm
from echochamber.settings.training import ImportedModel, Pretraining, Scale
from echochamber.settings.world import Mixture, QuestionSet, Source, Tokenizer


class Prompts(PromptForm):
    """What RL trains on: the train split of a question set."""

    questions: Name
    count: PositiveInt | None = None
    """The first so many; none: all."""


class Benchmark(PromptForm):
    """What is measured: greedy decoding and samples on the test split of a question set. Defaults are the paper's."""

    questions: Name
    count: PositiveInt | None = None
    samples: PositiveInt = 64
    temperature: PositiveFloat = 0.7
    top_p: Annotated[float, Field(gt=0, le=1)] = 0.95
    max_new_tokens: PositiveInt = 2048
    checkpoints: Literal["all", "ends"] = "all"
    """Of a run: every one that is kept, or the last alone (the base model is measured by itself)."""
    samples_between: PositiveInt | None = None
    """Samples of a run's checkpoints but the last; none: `samples`. Shares of formats need fewer than pass@64."""
    precision: Precision = "fp32"
    """Of the matrix products of decoding; the kept weights are fp32."""
    engine: Literal["own", "vllm"] = "own"
    """What draws completions. `vllm` is an extra, and draws others than `own` (docs/sampling.md)."""
    tool: Literal["python"] | None = None
    """As `tool` of an algorithm's sampling."""
    seed: Seed = 0
    role: Literal["task", "transfer", "hard"] | None = None
    """What claims take it for; none: `hard` for AIME, `transfer` for MATH and for family `math`, else `task`."""

    @model_validator(mode="after")
    def _no_tool_of_vllm(self) -> Benchmark:
        if self.tool and self.engine == "vllm":
            raise ValueError(f"tool: found {self.tool} with engine: vllm, allowed: with engine: own")
        return self

    @model_validator(mode="after")
    def _few_between(self) -> Benchmark:
        if self.samples_between is not None and self.checkpoints == "ends":
            raise ValueError("samples_between: found a number with checkpoints: ends, allowed: with checkpoints: all")
        if self.samples_between is not None and self.samples_between > self.samples:
            raise ValueError(f"samples_between: found {self.samples_between}, allowed: up to samples, {self.samples}")
        return self


class BaseSamples(Settings):
    """What RL starts from, for the theory: completions of the base models on the RL prompts, drawn as RL samples."""

    samples: Annotated[int, Field(ge=2)] = 8
    """Completions a prompt. Predictions from few are biased (and corrected): rare right answers are missed."""
    precision: Precision = "fp32"
    """As `precision` of a benchmark."""
    seed: Seed = 0


FIGURES = (
    "formats",
    "passk",
    "kl",
    "algorithms",
    "mixtures",
    "scales",
    "transfer",
    "dynamics",
    "errors",
    "process",
    "bases",
    "styles",
    "trajectories",
    "benchmarks",
    "stationary",
    "map",
    "forecast",
    "behaviours",
    "amplified",
)
"""The modules of `echochamber.figures` that draw one."""
OF_BEHAVIOURS = ("behaviours", "amplified")
"""Those that show the study's behaviours."""


LONGEST_TITLE = 300
"""Characters of a study's title, and of the grid's world."""


class Study(Settings):
    """A named sub-grid: the product of its axes. Figures and claims draw from one study."""

    title: str
    """The question that the study answers, as the report asks it."""
    mixtures: tuple[Name, ...] = ()
    scales: tuple[Name, ...] = ()
    model_seeds: tuple[Seed, ...] = (0,)
    stages: tuple[Name, ...] = ()
    """What every model goes through after pretraining and before RL, in this order."""
    models: tuple[Name, ...] = ()
    """Imported models, beside those of the product."""
    from_step: PositiveInt | None = None
    """Start RL from this kept pretraining step; none: from the last."""
    algorithms: tuple[Name, ...] = ()
    prompts: tuple[Name, ...] = ()
    run_seeds: tuple[Seed, ...] = (0,)
    benchmarks: tuple[Name, ...] = Field(min_length=1)
    behaviours: tuple[Name, ...] | None = None
    """Those that its figures and its part of the report show; none: all of the grid."""
    figures: tuple[Annotated[str, OneOf(FIGURES)], ...] = ()
    claims: tuple[Annotated[str, OneOf(CLAIMS)], ...] = ()
    """Claims that this study can speak about."""

    @model_validator(mode="after")
    def _not_empty(self) -> Study:
        for line in checks.plain_text("title", self.title, LONGEST_TITLE):
            raise ValueError(line)
        if bool(self.mixtures) != bool(self.scales):
            raise ValueError("mixtures, scales: allowed: both or neither")
        if not self.mixtures and not self.models:
            raise ValueError("mixtures, models: allowed: at least one of them")
        if bool(self.algorithms) != bool(self.prompts):
            raise ValueError("algorithms, prompts: allowed: both or neither")
        for key in (
            "mixtures",
            "scales",
            "model_seeds",
            "stages",
            "models",
            "algorithms",
            "prompts",
            "run_seeds",
            "benchmarks",
            "behaviours",
            "figures",
            "claims",
        ):
            values = getattr(self, key) or ()
            if len(set(values)) != len(values):
                raise ValueError(f"{key}: found a name twice in {list(values)}, allowed: each once")
        return self


class GridFile(Settings):
    """A whole grid file."""

    name: Name
    """The results go to results/<name>."""
    hardware: Hardware = Hardware()
    world: str
    """What kind of world this is, in a few words; stands beside every verdict and figure."""
    tokenizer: Tokenizer | None = None
    """None: every model is imported, and brings its own."""
    corpora: dict[Name, Source] = Field(default_factory=dict)
    data: str = "data"
    """Folder of what `snakemake download` fetches from the hub, one folder a repository: `data/openai/gsm8k/...`."""
    decontaminate: bool = False
    """Leave out documents that share an n-gram with a test question of the grid (see docs/data.md)."""
    background: tuple[Name, ...] = ()
    """Sources added once to each mixture with `background: true`."""
    question_sets: dict[Name, QuestionSet] = Field(min_length=1)
    mixtures: dict[Name, Mixture] = Field(default_factory=dict)
    scales: dict[Name, Scale] = Field(default_factory=dict)
    pretraining: Pretraining = Pretraining()
    stages: dict[Name, Stage] = Field(default_factory=dict)
    """Training between pretraining and RL, for the studies that name them."""
    models: dict[Name, ImportedModel] = Field(default_factory=dict)
    algorithms: dict[Name, Algorithm] = Field(default_factory=dict)
    prompts: dict[Name, Prompts] = Field(default_factory=dict)
    benchmarks: dict[Name, Benchmark] = Field(min_length=1)
    base_samples: BaseSamples = BaseSamples()
    behaviours: dict[Name, Behaviour] = Field(default_factory=dict)
    """What completions are told apart by, beside their formats (docs/behaviours.md)."""
    judge: Judge | None = None
    """Who names the errors in wrong answers, beside the rules; none: nobody."""
    studies: dict[Name, Study] = Field(min_length=1)
    trackers: tuple[Literal["tensorboard", "wandb", "trackio"], ...] = ()
    """Who is shown the metrics of training while it runs (docs/trackers.md); each library is an extra."""
    registered: str | None = None
    """The file that fixes this grid before its runs (`make register`); none: it is not registered."""
    primary: dict[Annotated[str, OneOf(CLAIMS)], Primary] = Field(default_factory=dict)
    """The one row of each claim that gets a verdict, fixed before the runs; all other rows are exploratory. A claim
    that has a single row in the whole grid needs no entry."""

    @model_validator(mode="after")
    def _references_exist(self) -> GridFile:
        def check(where: str, names: tuple[str, ...], allowed: Mapping[str, object]) -> None:
            for name in names:
                if name not in allowed:
                    raise ValueError(
                        f"{where}: found {name!r}, allowed: {', '.join(sorted(allowed)) or 'nothing (none is defined)'}"
                    )

        check("background", self.background, self.corpora)
        check("tokenizer.sources", getattr(self.tokenizer, "sources", ()), self.corpora)
        for name, mixture in self.mixtures.items():
            check(f"mixtures.{name}.passes", tuple(mixture.passes), self.corpora)
            twice = sorted(set(mixture.passes) & set(self.background)) if mixture.background else []
            if twice:
                raise ValueError(
                    f"mixtures.{name}.passes: found {twice[0]!r}, which is background already, "
                    "allowed: background: false"
                )
        for name, prompts in self.prompts.items():
            check(f"prompts.{name}.questions", (prompts.questions,), self.question_sets)
        for name, benchmark in self.benchmarks.items():
            check(f"benchmarks.{name}.questions", (benchmark.questions,), self.question_sets)
        self._enough_questions()
        for name, model in self.models.items():
            check(f"models.{name}.mixture", (model.mixture,) if model.mixture else (), self.mixtures)
            check(f"models.{name}.scale", (model.scale,) if model.scale else (), self.scales)
        for name, stage in self.stages.items():
            check(f"stages.{name}.mixture", (stage.mixture,), self.mixtures)
        for name, study in self.studies.items():
            if line := chain.misplaced(f"studies.{name}", study.stages, study.mixtures, study.models, study.from_step):
                raise ValueError(line)
            if study.mixtures and self.tokenizer is None:
                raise ValueError(
                    f"tokenizer: found nothing, allowed: a tokenizer, since studies.{name} trains models from scratch"
                )
            for key in ("mixtures", "scales", "stages", "models", "algorithms", "prompts", "benchmarks", "behaviours"):
                check(f"studies.{name}.{key}", getattr(study, key) or (), getattr(self, key))
            if study.from_step is not None and study.from_step not in self.pretraining.checkpoints:
                raise ValueError(
                    f"studies.{name}.from_step: found {study.from_step}, "
                    f"allowed: a step of pretraining.checkpoints {list(self.pretraining.checkpoints)}"
                )
        for line in self._contradictions():
            raise ValueError(line)
        return self

    def _contradictions(self) -> Iterator[str]:
        groups = ("corpora", "question_sets", "mixtures", "scales", "models", "algorithms", "prompts", "benchmarks")
        for group in (*groups, "behaviours", "studies"):
            yield from checks.case_twins(group, getattr(self, group))
        yield from chain.impossible(self.stages, self.pretraining)
        yield from checks.plain_text("world", self.world, LONGEST_TITLE)
        yield from unknown_primaries(self.primary, self.studies, self.models)
        yield from checks.given_away(self.corpora, self.question_sets)
        trained = {name for study in self.studies.values() for name in study.mixtures}
        for name in sorted({source for mixture in trained for source in self.mixtures[mixture].passes}):
            documents = getattr(self.corpora[name], "documents", None)
            yield from checks.held_out(f"corpora.{name}", self.pretraining.held_out_documents, documents)
        for name in sorted(trained):
            mixture = self.mixtures[name]
            passes = dict(mixture.passes) | dict.fromkeys(self.background if mixture.background else (), 1)
            most = checks.most_steps(passes, self.corpora, self.pretraining)
            yield from checks.steps("pretraining.warmup_steps", self.pretraining.warmup_steps, most)
            last = max(self.pretraining.checkpoints, default=0)
            yield from checks.steps("pretraining.checkpoints", last, most)
        for group in ("prompts", "benchmarks"):
            for name, form in getattr(self, group).items():
                yield from checks.examples(f"{group}.{name}", form, self.question_sets[form.questions])
        for name, study in self.studies.items():
            yield from checks.twins_of_models(name, study, self.models)
            for asked in [self.prompts[key] for key in study.prompts] + [
                self.benchmarks[key] for key in study.benchmarks
            ]:
                yield from checks.chat(f"studies.{name}", study, asked)
            yield from impossible(self, name)
            for benchmark in study.benchmarks if study.mixtures else ():
                tokens = self.benchmarks[benchmark].max_new_tokens
                yield from checks.new_tokens(f"benchmarks.{benchmark}", tokens, self.pretraining.sequence_length)
            axes = ("mixtures", "scales", "stages", "models", "algorithms", "prompts", "benchmarks")
            yield from checks.long_names(f"studies.{name}", {axis: getattr(study, axis) for axis in axes})
            for algorithm in study.algorithms:
                settings = self.algorithms[algorithm]
                key, at_once = settings.prompts_at_once
                for prompts in study.prompts:
                    available = self.prompts[prompts].count
                    questions = self.question_sets[self.prompts[prompts].questions]
                    available = available or (questions.train if questions.kind == "synthetic" else None)
                    where = f"algorithms.{algorithm}.{key}"
                    yield from checks.prompts_in_batch(where, at_once, available, prompts)
                if study.mixtures:
                    where, tokens = f"algorithms.{algorithm}.sampling", settings.sampling.max_new_tokens
                    yield from checks.new_tokens(where, tokens, self.pretraining.sequence_length)

    def _enough_questions(self) -> None:
        """Refuse a prompt set without a train split, a benchmark without a test split, and more than they will hold."""
        for group, split in (("prompts", "train"), ("benchmarks", "test")):
            for name, settings in getattr(self, group).items():
                questions = self.question_sets[settings.questions]
                if questions.kind != "synthetic":
                    for line in checks.split_of(f"{group}.{name}", settings.questions, questions, split):
                        raise ValueError(line)
                    continue
                available = getattr(questions, split)
                if not available or (settings.count or 0) > available:
                    raise ValueError(
                        f"{group}.{name}.count: found {settings.count or 'all'}, "
                        f"allowed: up to the {available} of question_sets.{settings.questions}.{split}"
                    )
