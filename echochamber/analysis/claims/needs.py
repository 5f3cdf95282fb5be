"""Which claims a grid can decide, before it runs: the replicates that it has, those that a verdict needs, their price.

What is needed is what the thresholds ask of a single claim. Holm's correction over all primary rows asks for more, and
so does an effect that is small for its spread (table `power`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import comb

import pandas as pd

from echochamber.analysis.claims import LIST
from echochamber.analysis.claims.thresholds import thresholds
from echochamber.analysis.theory import predictions
from echochamber.grid.expansion import Grid
from echochamber.planning.plan import ALL, WHOLE, plan
from echochamber.settings import Study
from echochamber.settings.possible import Held

RL, PRETRAINING = "RL seeds", "pretraining seeds"


@dataclass(frozen=True)
class Need:
    """What a claim has and needs in one study."""

    claim: str
    study: str
    kind: str
    """`RL seeds` or `pretraining seeds`."""
    has: int
    needs: int
    never: str = ""
    """Why no seeds make up for what is missing."""

    @property
    def decidable(self) -> bool:
        """Whether there are enough for a verdict."""
        return self.has >= self.needs


def needs(grid: Grid) -> list[Need]:
    """One for each claim that a study lists; of several studies that of its primary row, else the first."""
    rows = []
    for name in LIST:
        listing = [study for study, settings in grid.file.studies.items() if name in settings.claims]
        if listing:
            primary = grid.file.primary.get(name)
            rows.append(_need(grid, name, primary.study if primary else listing[0]))
    return rows


def _need(grid: Grid, claim: str, name: str) -> Need:
    study, rules, of_models = grid.file.studies[name], thresholds(), LIST[claim].of_models
    if claim == "T1" and (missing := _no_theory(grid, study, rules["T1"]["coefficients"])):
        return Need(claim, name, missing, 0, 1, never="not with these algorithms")
    if claim == "C7" and not _has_twin(grid, study):
        return Need(claim, name, "texts with a neutral twin", 0, 1, never="not on these texts")
    by_model = of_models or len(study.model_seeds) > 1
    has = len(study.model_seeds if by_model else study.run_seeds) if study.mixtures or not by_model else 1
    needed: int = rules["winner_replicates"] if LIST[claim].winner else rules["replicates"]
    if claim == "C8":
        needed = max(needed, _of_a_permutation_test(len(Held(grid.file, study).scales), 1 - rules["level"]))
    never = "not with imported models" if by_model and has < needed and not study.mixtures else ""
    return Need(claim, name, PRETRAINING if by_model else RL, has, needed, never)


def _no_theory(grid: Grid, study: Study, coefficients: list[float]) -> str:
    """What T1 lacks where no algorithm of a study can test it; below .1 its prediction is flat (`claims.t1`)."""
    laws = [predictions.law(grid.file.algorithms[name]) for name in study.algorithms]
    of_optimum = [law for law in laws if law and law.name == "tilt" and not law.reasons]
    if not of_optimum:
        return "strict algorithms"
    apt = any(abs(law.beta - value) < 1e-9 for law in of_optimum for value in coefficients)
    return "" if apt else f"KL of {' or '.join(f'{value:g}' for value in coefficients)}"


def _has_twin(grid: Grid, study: Study) -> bool:
    """Whether a mixture of the study holds synthetic text, which alone has two wordings at equal accuracy."""
    held = Held(grid.file, study)
    corpora = {name for mixture in held.described for name in grid.file.mixtures[mixture].passes}
    return any(grid.file.corpora[name].kind == "synthetic" for name in corpora)


def _of_a_permutation_test(scales: int, size: float) -> int:
    """Seeds of each scale with which a test of winner and scale can show anything.

    Where half of the scales end with one format and the others with another, of all ways to deal the winners out this
    one and its mirror image count.
    """
    half, n = scales // 2, 1
    while scales > 1 and (2 if 2 * half == scales else 1) / comb(scales * n, half * n) > size:
        n += 1
    return n


def enlarged(grid: Grid, missing: Iterable[Need]) -> Grid:
    """The grid with as many more seeds as these claims miss."""
    studies = dict(grid.file.studies)
    for need in missing:
        study: Study = studies[need.study]
        key = "model_seeds" if need.kind == PRETRAINING else "run_seeds"
        seeds = getattr(study, key)
        unused = [seed for seed in range(len(seeds) + need.needs) if seed not in seeds]
        more = (*seeds, *unused[: max(need.needs - len(seeds), 0)])
        studies[need.study] = study.model_copy(update={key: more})
    return Grid(grid.file.model_copy(update={"studies": studies}), grid.paths.root.parent)


def priced(grid: Grid) -> pd.DataFrame:
    """Each claim with what it has and needs, and the hours that the missing seeds take; at the end all together.

    Hours are GPU-hours, on a CPU those of one core; NaN where more seeds cannot be had, or are not what is missing.
    """
    asked, before = needs(grid), _hours(grid)
    rows = []
    for need in asked:
        hours = 0.0 if need.decidable or need.never else _hours(enlarged(grid, [need])) - before
        rows.append(vars(need) | {"hours": float("nan") if need.never else hours})
    missing = [need for need in asked if not need.decidable and not need.never]
    whole = {
        "claim": "all",
        "study": "",
        "kind": "",
        "has": sum(need.decidable for need in asked),
        "needs": len(asked),
        "never": "",
    }
    return pd.DataFrame([*rows, whole | {"hours": _hours(enlarged(grid, missing)) - before}])


def _hours(grid: Grid) -> float:
    table = plan(grid)
    (row,) = table[(table["study"] == WHOLE) & (table["stage"] == ALL)].itertuples()
    return float(row.gpu_hours or row.seconds / 3600)


def readable(grid: Grid) -> str:
    """The same as text; nothing where no study lists a claim."""
    table = priced(grid)
    if len(table) == 1:
        return ""
    parts, whole = table[:-1], table.iloc[-1]
    unit = "GPU-hours" if grid.gpus() else "hours"
    shown = parts.assign(missing=(parts["needs"] - parts["has"]).clip(lower=0))
    shown[unit] = [n or (f"{h:,.1f}" if h else "") for n, h in zip(parts["never"], parts["hours"], strict=True)]
    columns = ["claim", "study", "kind", "has", "needs", "missing", unit]
    count = f"{whole['has']} of {whole['needs']} claims have the replicates that a verdict needs"
    rest = "" if whole["has"] == whole["needs"] else f"; the missing ones together take {whole['hours']:,.1f} {unit}"
    return f"{shown[columns].to_string(index=False)}\n{count}{rest}"


def warning(grid: Grid) -> str | None:
    """One line where no claim of the grid can be decided."""
    asked = needs(grid)
    if not asked or any(need.decidable for need in asked):
        return None
    least = min(asked, key=lambda need: need.needs - need.has)
    return (
        f"no claim of this grid can have a verdict: {least.claim} has {least.has} of the {least.needs} {least.kind} "
        f"that it needs in study {least.study}, the others no more (`snakemake plan` says what the missing ones take)"
    )
