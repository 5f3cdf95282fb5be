"""Where the weights of a model lie, as a spec names it, and finding them. Imports no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from echochamber.errors import UserError
from echochamber.jobs.spec import Part
from echochamber.models import imported

Step = int | Literal["last"]


class Checkpoints(Part):
    """Kept checkpoints of a model or a run of the grid."""

    checkpoints: str
    """Their folder."""
    steps: tuple[Step, ...] | None = None
    """Which; none: all of them."""


class ImportedWeights(Part):
    """A model that the grid did not train."""

    model: str
    """A folder, or a repository of the hub."""
    revision: str = "main"
    data: str = "data"
    """The folder of downloads."""


Weights = Checkpoints | ImportedWeights


def checkpoints(weights: Weights) -> list[tuple[int, Path]]:
    """(step, folder) of the checkpoints, by step. An imported model has the one step 0.

    Raises:
        UserError: some, or all, are not there.
    """
    if isinstance(weights, ImportedWeights):
        try:
            return [(0, imported.find(weights.model, weights.revision, weights.data))]
        except FileNotFoundError as error:
            raise UserError(str(error)) from None
    folder = Path(weights.checkpoints)
    present = {int(path.name.removeprefix("step_")): path for path in sorted(folder.glob("step_*"))}
    steps = list(present) if weights.steps is None else weights.steps
    wanted = [max(present, default=0) if step == "last" else step for step in steps]
    missing = [step for step in wanted if step not in present]
    if missing or not wanted:
        raise UserError(f"{folder}: found steps {sorted(present)}, wanted {missing or 'any'}")
    return [(step, present[step]) for step in sorted(set(wanted))]


def folder(weights: Weights) -> Path:
    """The folder of the one model that is meant."""
    return checkpoints(weights)[0][1]
