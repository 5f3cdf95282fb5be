"""What happens on the RL prompts themselves: what a run starts from, and what its rollouts wrote.

The start is the base model's samples on the prompts, drawn as RL draws them (`Grid.probes`): no leakage, RL samples
nothing else. The rollouts are those of the run's own metrics.csv. Theory and dynamics go from the one to the other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from echochamber.analysis import samples
from echochamber.analysis.samples import Answers
from echochamber.analysis.theory import stationary
from echochamber.formats import FORMATS, RuleName
from echochamber.grid.expansion import Grid
from echochamber.grid.ids import Probe, Run
from echochamber.settings import Algorithm
from echochamber.stats.intervals import wilson

SHARES = [f"share_{name}" for name in FORMATS]
LOGGED = ("step", "completions_sampled", "learning_rate", *SHARES, "reward_mean", "kl", "share_informative_groups")
"""Columns of a run's metrics.csv that theory and dynamics look at."""
LAST = 0.1
"""The end of a run is the mean over this share of its rollout batches, the last ones."""


@dataclass(frozen=True)
class Start:
    """The base model on the RL prompts, in counts: what theory needs of any number of completions."""

    samples: int
    """Of a question."""
    written: np.ndarray
    """Completions in each format, by halves of the samples (`stationary.in_halves`): (3, questions, formats)."""
    right: np.ndarray
    """Right ones among them."""
    tokens: np.ndarray
    """Mean length of the completions in each format, NaN where there are none: (formats,)."""

    @classmethod
    def of(cls, answers: Answers, formats: int = len(FORMATS)) -> Start:
        """Of sampled answers. formats: how many there are."""
        written, right = stationary.in_halves(answers.format, answers.correct, formats)
        tokens = [answers.tokens[answers.format == i] for i in range(formats)]
        means = [each.mean() if each.size else np.nan for each in tokens]
        return cls(answers.format.shape[1], written, right, np.array(means))

    @property
    def questions(self) -> int:
        return self.written.shape[1]

    @property
    def drawn(self) -> int:
        """Completions in all."""
        return self.questions * self.samples

    def counts(self) -> tuple[np.ndarray, np.ndarray]:
        """Completions in each format and right ones among them: two (questions, formats) arrays."""
        return self.written.sum(0), self.right.sum(0)

    def shares(self) -> np.ndarray:
        return self.counts()[0].sum(0) / self.drawn

    def accuracy(self) -> np.ndarray:
        """Share of right completions of each question."""
        return self.counts()[1].sum(1) / self.samples

    def predict(self, law: stationary.CountsLaw) -> tuple[np.ndarray, np.ndarray]:
        """Predicted shares and their bias (`stationary.predict`)."""
        return stationary.predict_from_halves(self.written, self.right, law)


def start(grid: Grid, probe: Probe, rule: RuleName) -> Start:
    """As the rule judges it that RL is rewarded by, in the formats that are ours.

    Raises FileNotFoundError in one line if the base model was not sampled.
    """
    path = grid.paths.probe(probe)
    if not path.exists():
        raise FileNotFoundError(f"{path}: found nothing, allowed: samples of {probe.model.id} on {probe.prompts}")
    ((_, answers),) = samples.read(path).items()
    return Start.of(replace(answers.by(rule), format=answers.format))


@dataclass(frozen=True)
class Rollouts:
    """The rollout batches of a run (the iterations of Expert Iteration), by step."""

    settings: Algorithm
    log: pd.DataFrame
    """metrics.csv: row t tells of the policy that sampled batch t, after the updates of t - 1 batches."""

    @property
    def shares(self) -> np.ndarray:
        """(batches, formats)."""
        return self.log[SHARES].to_numpy(dtype=float)

    @property
    def completions(self) -> np.ndarray:
        """Completions in each batch."""
        return np.diff(self.log["completions_sampled"].to_numpy(dtype=float), prepend=0.0)

    @property
    def last(self) -> np.ndarray:
        """Which batches are the end of the run: bool."""
        step = self.log["step"].to_numpy(dtype=float)
        return step > (1 - LAST) * step.max()

    def end(self) -> dict[str, np.ndarray | int]:
        """Shares at the end with their interval: estimate, low, high (formats,), n_questions, n_samples.

        Wilson's interval with the number of prompts sampled as n: completions of one prompt are not independent, and
        between 0 and 1 a prompt's share varies by no more than a coin of that probability.
        """
        last = self.last
        estimate = np.average(self.shares[last], axis=0, weights=self.completions[last])
        prompts = round(self.completions[last].sum() / self.settings.samples_per_prompt)
        low, high = wilson(estimate * prompts, np.full(len(FORMATS), prompts))
        numbers = {"n_questions": prompts, "n_samples": int(self.completions[last].sum())}
        return {"estimate": estimate, "low": low, "high": high} | numbers

    def objective(self, price: float) -> float:
        """Mean reward minus `price` a nat of KL(pi || ref) of whole completions, at the end of the run."""
        last = self.log[self.last]
        value = (last["reward_mean"] - price * last["kl"]).to_numpy(dtype=float)
        return float(np.average(value, weights=self.completions[self.last]))

    def movement(self) -> float:
        """How far the shares still move: total variation between the last tenth of the batches and the tenth before."""
        step = self.log["step"].to_numpy(dtype=float)
        before = (step > (1 - 2 * LAST) * step.max()) & ~self.last
        if not before.any():
            return float("nan")
        return float(0.5 * np.abs(self.shares[self.last].mean(0) - self.shares[before].mean(0)).sum())


def rollouts(grid: Grid, run: Run) -> Rollouts:
    """As the run's metrics.csv has them: the columns `LOGGED`."""
    log = pd.read_csv(grid.paths.job(run) / "metrics.csv", usecols=lambda name: name in LOGGED)
    return Rollouts(grid.file.algorithms[run.algorithm], log.sort_values("step"))
