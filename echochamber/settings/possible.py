"""Which figures and claims can be made of what a study has, by its settings alone: the others are refused at once.

What only results can tell (that no mixture of a study has two formats that matter, say) is no matter of these checks:
such a claim gets the verdict "not in this grid".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING

from echochamber.algorithms import PolicyGradient, PostTraining
from echochamber.settings.ladders import but_for_kl, ladders
from echochamber.settings.roles import own_benchmark, prompts_role, role

if TYPE_CHECKING:
    from echochamber.settings.grid_file import GridFile, Study


@dataclass(frozen=True)
class Held:
    """What a study has."""

    file: GridFile
    study: Study

    @cached_property
    def algorithms(self) -> dict[str, PostTraining]:
        return {name: self.file.algorithms[name] for name in self.study.algorithms}

    @cached_property
    def policy_gradients(self) -> dict[str, PolicyGradient]:
        return {name: settings for name, settings in self.algorithms.items() if isinstance(settings, PolicyGradient)}

    @cached_property
    def mixtures(self) -> set[str]:
        """Those of its models, imported ones too; a model that nobody knows the mixture of is one by itself."""
        return {*self.study.mixtures, *(self.file.models[name].mixture or name for name in self.study.models)}

    @cached_property
    def described(self) -> set[str]:
        """Mixtures that the grid file says something of."""
        return self.mixtures & set(self.file.mixtures)

    @cached_property
    def scales(self) -> set[str]:
        """Those of its models whose size the grid file says."""
        named = {scale for name in self.study.models if (scale := self.file.models[name].scale)}
        return {*self.study.scales, *named}

    @cached_property
    def own(self) -> list[str]:
        """The benchmarks on the questions that RL trains on."""
        benchmarks = (own_benchmark(self.file, self.study, prompts) for prompts in self.study.prompts)
        return [benchmark for benchmark in benchmarks if benchmark]

    @cached_property
    def ladders(self) -> list[list[str]]:
        groups: dict[str, list[str]] = {}
        for name, settings in self.policy_gradients.items():
            groups.setdefault(but_for_kl(settings), []).append(name)
        return [ladder for group in groups.values() for ladder in ladders(group, self.policy_gradients.__getitem__)]

    @property
    def behaviours(self) -> tuple[str, ...]:
        return tuple(self.file.behaviours) if self.study.behaviours is None else self.study.behaviours

    def kinds(self, *kinds: str) -> bool:
        return set(kinds) <= {dict(settings)["kind"] for settings in self.algorithms.values()}

    def role(self, *roles: str) -> bool:
        return any(role(self.file, benchmark) in roles for benchmark in self.study.benchmarks)


Need = tuple[Callable[[Held], object], str]
"""Whether a study has it, and what it is."""

_RUNS: Need = (lambda held: held.algorithms, "algorithms: without RL runs there is nothing to compare")
_OWN: Need = (lambda held: held.own, "a benchmark on the question set of its prompts")
_GRADIENT: Need = (lambda held: held.policy_gradients, "a policy-gradient algorithm (not Expert Iteration alone)")
_LADDER: Need = (lambda held: held.ladders, "two algorithms that differ in their KL coefficient alone")
_MIXTURES: Need = (lambda held: held.described, "mixtures: models that are trained here, or `mixture` of imported ones")
_SCALES: Need = (lambda held: held.scales, "scales: models that are trained here, or `scale` of imported ones")
_COURSE: Need = (
    lambda held: any(held.file.benchmarks[b].checkpoints == "all" for b in held.own),
    "a benchmark of all checkpoints on the question set of its prompts",
)
_COURSE_OF_PASSK: Need = (
    lambda held: any(
        held.file.benchmarks[b].checkpoints == "all" and held.file.benchmarks[b].samples_between is None
        for b in held.own
    ),
    "a benchmark of all checkpoints, with as many samples of each, on the question set of its prompts",
)
_THEORY: Need = (
    lambda held: any(a.theory is not None and a.rule is not None for a in held.policy_gradients.values()),
    "a policy-gradient algorithm with a theory that is rewarded for right answers",
)
_GRAPHS: Need = (
    lambda held: any(
        held.file.question_sets[held.file.benchmarks[benchmark].questions].kind == "synthetic" for benchmark in held.own
    ),
    "a benchmark on synthetic questions, which have a gold graph, that its prompts are from",
)
_BEHAVIOURS: Need = (lambda held: held.behaviours, "behaviours: the grid names some, and the study has not `[]`")


def _mixtures(least: int) -> Need:
    return (lambda held: len(held.mixtures) >= least, f"{least} mixtures")


_OTHERS: Need = (
    lambda held: (len(held.mixtures) - 1) * len(held.study.model_seeds) >= 3,
    "3 base models of other mixtures for each that is foretold",
)


def _role(name: str) -> Need:
    return (lambda held: held.role(name), f"a benchmark whose role is {name}")


def _kinds(*kinds: str) -> Need:
    return (lambda held: held.kinds(*kinds), f"algorithms of the kinds {' and '.join(kinds)}")


def _differ_in_reward(held: Held) -> bool:
    rules = [settings for settings in held.policy_gradients.values() if settings.rule]
    return any(
        a.reward != b.reward and a.model_dump_json(exclude={"reward"}) == b.model_dump_json(exclude={"reward"})
        for a, b in combinations(rules, 2)
    )


def _trains_on_both(held: Held) -> bool:
    measured = any(role(held.file, benchmark) == "transfer" for benchmark in held.own)
    return measured and any(prompts_role(held.file, prompts) == "task" for prompts in held.study.prompts)


FIGURES: dict[str, tuple[Need, ...]] = {
    "formats": (_OWN,),
    "passk": (_OWN,),
    "kl": (_OWN, _LADDER),
    "algorithms": (_OWN,),
    "mixtures": (_OWN,),
    "scales": (_OWN, _SCALES),
    "transfer": (),
    "dynamics": (_THEORY,),
    "errors": (_OWN,),
    "process": (_GRAPHS,),
    "bases": (),
    "styles": (_OWN,),
    "trajectories": (_OWN, _LADDER, _COURSE),
    "benchmarks": (),
    "stationary": (_THEORY,),
    "map": (_OWN,),
    "forecast": (_OWN, _GRADIENT, _OTHERS),
    "behaviours": (_OWN, _BEHAVIOURS),
    "amplified": (_OWN, _BEHAVIOURS),
}
WITHOUT_RUNS = ("bases",)
"""Figures of base models alone."""

CLAIMS: dict[str, tuple[Need, ...]] = {
    "C1": (_OWN, _GRADIENT, _COURSE),
    "C2": (_OWN, _GRADIENT, _COURSE_OF_PASSK),
    "C3": (_OWN, _LADDER),
    "C4": (_OWN, _GRADIENT),
    "C5": (_OWN, _GRADIENT, _MIXTURES),
    "C6": (_OWN, _GRADIENT, _mixtures(2)),
    "C7": (_OWN, _GRADIENT),
    "C8": (_OWN, _GRADIENT, (lambda held: len(held.scales) > 1, "2 scales")),
    "C9": (_OWN, _kinds("grpo", "ppo")),
    "C10": (_OWN, _kinds("expert_iteration", "ppo")),
    "C11": (_role("transfer"),),
    "C12": (_role("hard"),),
    "C13": ((_trains_on_both, "prompts of the transfer set, measured, and of an easy one"),),
    "C14": (_OWN,),
    "T1": (_GRADIENT,),
    "S1": (_OWN, _GRADIENT, _mixtures(4)),
    "S2": (_OWN, _GRADIENT, _mixtures(4)),
    "S3": (_OWN, _GRADIENT),
    "B1": (_OWN, _GRADIENT),
    "B2": (_OWN, _GRADIENT),
    **dict.fromkeys(("R1", "R2", "R3", "R4"), (_OWN, _GRADIENT)),
    "S4": (_OWN, (_differ_in_reward, "two algorithms that differ in the rule of their reward alone")),
}


def impossible(file: GridFile, name: str) -> Iterator[str]:
    """One line for each figure and claim that a study asks for and cannot have."""
    held = Held(file, file.studies[name])
    for key, asked, needs in (("figures", held.study.figures, FIGURES), ("claims", held.study.claims, CLAIMS)):
        for item in asked:
            runs = () if item in WITHOUT_RUNS else (_RUNS,)
            for has, what in (*runs, *needs.get(item, ())):
                if not has(held):
                    yield f"studies.{name}.{key}: found {item}, allowed where the study has {what}"
                    break
