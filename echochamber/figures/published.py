"""Values that the paper, its released checkpoints or a reproduction show, to draw beside one's own.

They are about 150M and 1B parameters on real text: a small embedded world is not expected to match them. Each stands
beside the mixture, question set and algorithm that it is of, and beside nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from echochamber.analysis.studies import Condition, StudyView
from echochamber.settings import ExpertIteration, HubQuestions, PolicyGradient
from echochamber.settings.roles import Role, prompts_role, role_of_dataset

PAPER = "the paper"
RELEASED = "the released model, run by others"
REPRODUCTION = "an independent reproduction, a billion tokens"
SCALES = ("150m", "1b")
"""The paper's sizes. A condition of one of them has the values of that one alone; any other scale has those of both."""

KL = 1e-3
"""Coefficient of the paper's main runs."""


@dataclass(frozen=True)
class Value:
    """One published number."""

    value: float
    mixture: str
    scale: str
    dataset: str
    """Name of a question set of the hub; an embedded one with its role (`roles.role_of_dataset`) stands for it."""
    metric: str
    source: str
    where: str
    """Of the source; or what the number is."""
    k: int | None = None
    format: str | None = None
    kind: str | None = None
    """Algorithm of the RL after which it was measured (of Expert Iteration with its `start`); None: the base model."""
    kl: float | None = None
    """Coefficient of its KL penalty; None: any."""
    trained_on: Role = "task"
    """Role of the questions of that RL."""


def _greedy(mixture: str, value: float) -> Value:
    return Value(value, mixture, "150m", "gsm8k", "greedy_accuracy", RELEASED, "greedy")


def _transfer(mixture: str, before: float, after: float) -> Iterable[Value]:
    for value, kind in ((before, None), (after, "ppo")):
        yield Value(value, mixture, "1b", "math-500", "greedy_accuracy", PAPER, "Table 1", kind=kind, kl=KL)


def _billion(mixture: str, before: float, after: float) -> Iterable[Value]:
    for value, kind in ((before, None), (after, "grpo")):
        yield Value(value, mixture, "150m", "gsm8k", "greedy_accuracy", REPRODUCTION, "3 passes of GRPO", kind=kind)


VALUES = (
    Value(0.62, "tg+4xomi1", "150m", "gsm8k", "share", PAPER, "Figure 4a", format="omi1"),
    Value(0.28, "tg+4xomi1", "150m", "gsm8k", "share", PAPER, "Figure 4a", format="tinygsm"),
    *(_greedy(*each) for each in (("tg", 0.240), ("2xtg", 0.262), ("4xtg", 0.308), ("8xtg", 0.331))),
    _greedy("4xtg-alone", 0.446),
    Value(0.836, "8xtg", "150m", "gsm8k", "pass_at_k", RELEASED, "any of 64 samples", k=64),
    Value(0.356, "8xtg", "150m", "gsm8k", "majority_at_k", RELEASED, "first of the answers, not a vote", k=64),
    Value(0.60, "8xtg", "150m", "gsm8k", "greedy_accuracy", PAPER, "Figure 20, almost", kind="ppo", kl=KL),
    Value(0.45, "8xtg", "150m", "gsm8k", "greedy_accuracy", PAPER, "Figure 20, under", kind="expert_iteration/base"),
    *_transfer("tg", 0.048, 0.096),
    *_transfer("tg+4xomi1", 0.086, 0.126),
    *_transfer("tg+omi2", 0.334, 0.436),
    *_transfer("omi2+mmqa", 0.346, 0.444),
    *_transfer("tg+omi1+omi2", 0.334, 0.438),
    Value(0.0, "tg+omi2", "1b", "aime-2022-2024", "pass_at_k", PAPER, "Tables 4 to 6", k=64),
    Value(0.189, "tg+omi2", "1b", "aime-2022-2024", "pass_at_k", PAPER, "Tables 4 to 6", k=64, kind="ppo", kl=KL),
    *_billion("tinygsm-0", 0.007, 0.007),
    *_billion("tinygsm-15", 0.039, 0.077),
    *_billion("tinygsm-30", 0.064, 0.139),
)


def of_base(
    view: StudyView,
    mixture: str,
    scale: str,
    benchmark: str,
    metric: str,
    *,
    k: int | None = None,
    form: str | None = None,
) -> Value | None:
    """What is published of a base model, by its axes; None: nothing."""
    of = [v for v in VALUES if v.kind is None and (v.mixture, v.metric, v.k, v.format) == (mixture, metric, k, form)]
    return next((v for v in of if _same_scale(v, scale) and _same_questions(view, v, benchmark)), None)


def after(view: StudyView, condition: Condition, benchmark: str, metric: str, *, k: int | None = None) -> Value | None:
    """What is published of the runs of a condition after RL; None: nothing, of this algorithm on these prompts."""
    settings = view.algorithm(condition)
    kl = settings.kl.coefficient if isinstance(settings, PolicyGradient) else None
    kind = f"{settings.kind}/{settings.start}" if isinstance(settings, ExpertIteration) else settings.kind
    asked = (condition.mixture, metric, k, kind, prompts_role(view.file, condition.prompts))
    of = [v for v in VALUES if (v.mixture, v.metric, v.k, v.kind, v.trained_on) == asked and v.kl in (None, kl)]
    return next((v for v in of if _same_scale(v, condition.scale) and _same_questions(view, v, benchmark)), None)


def _same_scale(value: Value, scale: str) -> bool:
    return scale not in SCALES or scale == value.scale


def _same_questions(view: StudyView, value: Value, benchmark: str) -> bool:
    questions = view.file.question_sets[view.file.benchmarks[benchmark].questions]
    if isinstance(questions, HubQuestions):
        return questions.dataset == value.dataset
    return view.role(benchmark) == role_of_dataset(value.dataset)


def sentence(values: Iterable[Value]) -> str:
    """For a caption: what the diamonds are. Nothing where there are none."""
    said = dict.fromkeys(f"{v.source} ({v.where}, {v.scale}, {v.dataset})" for v in values)
    return f"Red diamonds are published values: {'; '.join(said)}. " if said else ""
