"""What a grid's jobs are called, and where their results lie.

model_id = <mixture>/<scale>/seed<k>[+<stage>...]           or imported/<name>
run_id   = <model_id>[+step<N>]/<algorithm>/<prompts>/seed<j>
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from echochamber.settings import RandomNumbers, Sampling

IMPORTED = "imported"
"""The scale of a model that the grid did not train."""


@dataclass(frozen=True)
class Model:
    """A pretrained or an imported model."""

    mixture: str | None
    """None: of an imported model that nobody knows it of; so too its scale."""
    scale: str | None
    seed: int | None
    """None: it is imported."""
    imported: str | None = None
    """The name of its settings."""
    stages: tuple[str, ...] = ()
    """That it went through after pretraining, in their order."""

    @property
    def id(self) -> str:
        trained = f"{self.mixture}/{self.scale}/seed{self.seed}{self._chain}"
        return f"imported/{self.imported}" if self.imported else trained

    @property
    def _chain(self) -> str:
        return "".join(f"+{stage}" for stage in self.stages)

    @property
    def before(self) -> Model | None:
        """The model that its last stage starts from; None: it has none."""
        return replace(self, stages=self.stages[:-1]) if self.stages else None

    @property
    def recipe(self) -> tuple[str, str, int]:
        """Mixture, scale and seed of a model that the grid trains.

        Raises:
            ValueError: it is imported, and has none.
        """
        if self.mixture is None or self.scale is None or self.seed is None:
            raise ValueError(f"{self.id}: an imported model is not trained here: it has no seed")
        return self.mixture, self.scale, self.seed

    def stream(self, random_numbers: RandomNumbers) -> str:
        """The name of what its pretraining draws: initial weights and the order of documents.

        `common` leaves out what settings are compared by, mixture and scale, and keeps the seed, which tells
        replicates apart.
        """
        return self.id if random_numbers == "independent" else f"seed{self.seed}{self._chain}"


def start_of(run_id: str) -> str:
    """The stages and the step in a run's id: `+mid+sft`, `+step200`; empty: it starts at the end of pretraining."""
    base = run_id.rsplit("/", 3)[0].rsplit("/", 1)[-1]
    return "".join(f"+{part}" for part in base.split("+")[1:])


@dataclass(frozen=True)
class Run:
    """An RL run from a model."""

    model: Model
    from_step: int | None
    algorithm: str
    prompts: str
    seed: int

    @property
    def id(self) -> str:
        step = f"+step{self.from_step}" if self.from_step else ""
        return f"{self.model.id}{step}/{self.algorithm}/{self.prompts}/seed{self.seed}"

    @property
    def start(self) -> str:
        """Where it starts, alike for all seeds, whose last steps may differ; empty: at the end of pretraining."""
        return start_of(self.id)

    def stream(self, random_numbers: RandomNumbers) -> str:
        """The name of what it draws: the order of prompts, completions, random rewards, the order of updates.

        `common` leaves out what settings are compared by (mixture, scale, step, algorithm, prompts) and keeps both
        seeds, which tell replicates apart: a pair shares its numbers, two replicates never do.
        """
        base = self.model.id if self.model.imported else f"seed{self.model.seed}"
        return self.id if random_numbers == "independent" else f"{base}/seed{self.seed}"


@dataclass(frozen=True)
class Probe:
    """Samples of a base model on RL prompts, drawn as RL draws them: what its runs start from."""

    model: Model
    from_step: int | None
    prompts: str
    sampling: Sampling

    @property
    def base(self) -> str:
        """The base model with its step."""
        return f"{self.model.id}+step{self.from_step}" if self.from_step else self.model.id

    @property
    def id(self) -> str:
        s = self.sampling
        tool = f"-{s.tool}" if s.tool else ""
        return f"{self.base}/{self.prompts}/t{s.temperature:g}-p{s.top_p:g}-{s.max_new_tokens}{tool}"


@dataclass(frozen=True)
class Paths:
    """Where everything of one grid lies."""

    root: Path

    def corpus(self, source: str) -> Path:
        return self.root / "corpora" / source

    def shard(self, source: str, name: str) -> Path:
        """Its manifest; the tokens lie beside it."""
        return self.corpus(source) / "shards" / f"{name}.json"

    def contamination(self, source: str, shard: str) -> Path:
        return self.root / "contamination" / source / f"{shard}.json"

    def questions(self, name: str, split: str) -> Path:
        return self.root / "questions" / name / f"{split}.jsonl"

    def mixture(self, name: str) -> Path:
        return self.root / "mixtures" / f"{name}.json"

    def job(self, job: Model | Run) -> Path:
        return self.root / ("models" if isinstance(job, Model) else "runs") / job.id

    def samples(self, id: str, benchmark: str) -> Path:
        return self.root / "evals" / id / benchmark / "samples.parquet"

    def probe(self, probe: Probe) -> Path:
        return self.root / "evals" / probe.id / "probe.parquet"

    def measures(self, id: str, benchmark: str) -> Path:
        """What one evaluation adds to the tables."""
        return self.root / "measures" / id / f"{benchmark}.parquet"

    def labels(self, id: str, benchmark: str) -> Path:
        """The labels of the completions of one evaluation by the grid's behaviours."""
        return self.root / "labels" / id / benchmark / "labels.parquet"

    def label_measures(self, id: str, benchmark: str) -> Path:
        """What they add to the tables of behaviours."""
        return self.labels(id, benchmark).with_name("measures.parquet")

    def behaviours(self, study: str) -> Path:
        """The tables of behaviours of one study."""
        return self.root / "behaviours" / study

    def study(self, study: str) -> Path:
        """The tables of one study."""
        return self.root / "studies" / study

    def state(self, id: str) -> Path:
        return self.root / "state" / id

    @property
    def tokenizer(self) -> Path:
        return self.root / "tokenizer"

    @property
    def tables(self) -> Path:
        return self.root / "tables"

    @property
    def figures(self) -> Path:
        return self.root / "figures"
