"""The specs of all kinds of jobs: each names what changes that job's result, and nothing else.

`Grid` (`echochamber.grid.expansion`) makes them, the rules write them as JSON (`Spec.text`), the scripts of
`workflow_scripts` read the same class back (`echochamber.jobs.spec.parse`).
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from echochamber.jobs.spec import Part, Spec
from echochamber.models.weights import Checkpoints, Weights
from echochamber.settings import (
    Algorithm,
    Behaviour,
    Benchmark,
    GridFile,
    Pretraining,
    PromptForm,
    QuestionSet,
    RandomNumbers,
    Scale,
    Source,
    Tokenizer,
)

DATA = "data"
"""The folder of downloads where a grid does not say."""


class TokenizerSpec(Spec):
    """The tokenizer: trained on documents of sources, or a ready one."""

    settings: Tokenizer
    sources: dict[str, Source] = Field(default_factory=dict)
    data: str = DATA
    """The folder of downloads."""


class ShardSpec(Spec):
    """One shard of a corpus."""

    source: str
    shard: int
    settings: Source
    held_out_documents: int
    tokenizer: str
    leave_out: tuple[str, ...] = ()
    """Question files that no document may give away."""
    data: str = DATA


class CorpusSpec(Spec):
    """The manifest that joins the shards of a corpus."""

    source: str
    settings: Source
    held_out_documents: int


class ContaminationShardSpec(Spec):
    """The search for the grid's questions in one shard of a source."""

    source: str
    shard: int
    settings: Source
    questions: tuple[str, ...]
    data: str = DATA


class QuestionsSpec(Spec):
    """One split of a question set."""

    name: str
    split: str
    settings: QuestionSet
    data: str = DATA
    solutions: bool = False
    """With worked solutions, which examples in prompts are made of."""


class MixtureSpec(Spec):
    """The manifest of a mixture."""

    passes: dict[str, int | float]
    corpora: dict[str, str]
    """Source -> its folder."""
    background: tuple[str, ...] = ()


class PretrainSpec(Spec):
    """One pretraining from scratch, or one stage after it."""

    scale: Scale
    settings: Pretraining
    seed: int
    stream: str
    """The name of what it draws (`echochamber.stats.streams`)."""
    mixture: str
    tokenizer: str
    base: Checkpoints | None = None
    """What a stage starts from; none: fresh weights."""
    loss: Literal["all", "solution"] = "all"


class PosttrainSpec(Spec):
    """One RL or Expert Iteration run."""

    settings: Algorithm
    seed: int
    stream: str
    questions: str
    count: int | None = None
    form: PromptForm = PromptForm()
    base: Weights


class EvaluateSpec(Spec):
    """Samples of all checkpoints of a model or run on a question set; or of a base model on the RL prompts."""

    id: str
    question_set: str
    settings: Benchmark
    questions: str
    weights: Weights
    modes: tuple[Literal["greedy", "sample"], ...] = ("greedy", "sample")
    file: str = "samples.parquet"
    examples: str = ""
    """The file of the questions that few-shot examples are made of."""


class Row(Part):
    """A model or run with its axes: a row of the table `runs`."""

    id: str
    kind: Literal["model", "run"]
    model_id: str
    mixture: str
    scale: str
    model_seed: int | None = None
    algorithm: str | None = None
    algorithm_kind: str | None = None
    prompts: str | None = None
    run_seed: int | None = None
    base_step: int | None = None
    start: str | None = None
    samples_per_step: int | None = None
    random_numbers: RandomNumbers | None = None


class MeasureSpec(Spec):
    """What one evaluation adds to the tables: of a model, or of a run beside its base model."""

    row: Row
    question_set: str
    samples: str
    questions: str
    """The file of the questions that are answered."""
    base: str = ""
    """Samples of a run's base model."""
    log: str = ""
    """metrics.csv of a run."""
    own: bool = False
    """Whether the questions are the held-out ones of the set that the run trains on."""


class LabelSpec(MeasureSpec):
    """The labels of one evaluation's completions by behaviours, and what they add to the tables of behaviours."""

    behaviours: dict[str, Behaviour]
    base_labels: str = ""
    """Labels of a run's base model."""
    algorithm: Algorithm | None = None
    """Of a run."""


class GridSpec(Spec):
    """Of a stage that looks at many jobs of the grid: the part of the grid file that it reads (`grid.parts`)."""

    grid: GridFile
    results: str
    """The folder in which the grid's own folder lies."""


class StudySpec(GridSpec):
    """The tables of one study; the grid has that study alone."""

    study: str


class FigureSpec(StudySpec):
    """One figure of one study."""

    figure: str
