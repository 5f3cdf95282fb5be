"""Settings of measurement and studies, and the grid file as a whole."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from echochamber.settings.algorithms import Algorithm
from echochamber.settings.base import Name, Seed, Settings
from echochamber.settings.hardware import Hardware
from echochamber.settings.judge import Judge
from echochamber.settings.training import ImportedModel, Pretraining, Scale
from echochamber.settings.world import SPLITS, Mixture, QuestionSet, Source, Tokenizer


class Prompts(Settings):
    """What RL trains on: the train split of a question set."""

    questions: Name
    count: PositiveInt | None = None
    """The first so many; none: all."""


class Benchmark(Settings):
    """What is measured: greedy decoding and samples on the test split of a question set. Defaults are the paper's."""

    questions: Name
    count: PositiveInt | None = None
    samples: PositiveInt = 64
    temperature: PositiveFloat = 0.7
    top_p: Annotated[float, Field(gt=0, le=1)] = 0.95
    max_new_tokens: PositiveInt = 2048
    seed: Seed = 0
    role: Literal["task", "transfer", "hard"] | None = None
    """What claims take it for; none: `hard` for AIME, `transfer` for MATH and for family `math`, else `task`."""


class BaseSamples(Settings):
    """What RL starts from, for the theory: completions of the base models on the RL prompts, drawn as RL samples."""

    samples: Annotated[int, Field(ge=2)] = 8
    """Completions a prompt. Predictions from few are biased (and corrected): rare right answers are missed."""
    seed: Seed = 0


FIGURES = ("formats", "passk", "kl", "algorithms", "mixtures", "scales", "transfer", "dynamics", "errors", "process")
CLAIMS = ("C1", "C2", "C3", "C4", "C5", "C6", "C7", "C8", "C9", "C10", "C11", "C12", "C13", "C14", "T1")


class Study(Settings):
    """A named sub-grid: the product of its axes. Figures and claims draw from one study."""

    title: str
    """The question that the study answers, as the report asks it."""
    mixtures: tuple[Name, ...] = ()
    scales: tuple[Name, ...] = ()
    model_seeds: tuple[Seed, ...] = (0,)
    models: tuple[Name, ...] = ()
    """Imported models, beside those of the product."""
    from_step: PositiveInt | None = None
    """Start RL from this kept pretraining step; none: from the last."""
    algorithms: tuple[Name, ...] = ()
    prompts: tuple[Name, ...] = ()
    run_seeds: tuple[Seed, ...] = (0,)
    benchmarks: tuple[Name, ...] = Field(min_length=1)
    figures: tuple[Literal[FIGURES], ...] = ()
    claims: tuple[Literal[CLAIMS], ...] = ()
    """Claims of the paper that this study can speak about."""

    @model_validator(mode="after")
    def _not_empty(self) -> Study:
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
            "models",
            "algorithms",
            "prompts",
            "run_seeds",
            "benchmarks",
            "figures",
            "claims",
        ):
            values = getattr(self, key)
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
    tokenizer: Tokenizer
    corpora: dict[Name, Source] = Field(min_length=1)
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
    models: dict[Name, ImportedModel] = Field(default_factory=dict)
    algorithms: dict[Name, Algorithm] = Field(default_factory=dict)
    prompts: dict[Name, Prompts] = Field(default_factory=dict)
    benchmarks: dict[Name, Benchmark] = Field(min_length=1)
    base_samples: BaseSamples = BaseSamples()
    judge: Judge | None = None
    """Who names the errors in wrong answers, beside the rules; none: nobody."""
    studies: dict[Name, Study] = Field(min_length=1)

    @model_validator(mode="after")
    def _references_exist(self) -> GridFile:
        def check(where: str, found: tuple[str, ...], allowed: dict) -> None:
            for name in found:
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
        for name, study in self.studies.items():
            for key in ("mixtures", "scales", "models", "algorithms", "prompts", "benchmarks"):
                check(f"studies.{name}.{key}", getattr(study, key), getattr(self, key))
            if study.from_step is not None and study.from_step not in self.pretraining.checkpoints:
                raise ValueError(
                    f"studies.{name}.from_step: found {study.from_step}, "
                    f"allowed: a step of pretraining.checkpoints {list(self.pretraining.checkpoints)}"
                )
        return self

    def _enough_questions(self) -> None:
        """Refuse a prompt set without a train split, a benchmark without a test split, and more than they will hold."""
        for group, split in (("prompts", "train"), ("benchmarks", "test")):
            for name, settings in getattr(self, group).items():
                questions = self.question_sets[settings.questions]
                if questions.kind == "hub":
                    if split not in SPLITS[questions.dataset]:
                        allowed = ", ".join(dataset for dataset, splits in SPLITS.items() if split in splits)
                        raise ValueError(
                            f"{group}.{name}.questions: found {settings.questions} ({questions.dataset}), which has no "
                            f"{split} split, allowed: a question set of {allowed}"
                        )
                    continue
                there = getattr(questions, split)
                if not there or (settings.count or 0) > there:
                    raise ValueError(
                        f"{group}.{name}.count: found {settings.count or 'all'}, "
                        f"allowed: up to the {there} of question_sets.{settings.questions}.{split}"
                    )
