"""What a grid is going to do, counted before anything runs."""

from __future__ import annotations

import pandas as pd

from echochamber.grid import Grid


def plan(grid: Grid) -> pd.DataFrame:
    """Jobs per study, and of the whole grid, where a job that several studies share counts once.

    Returns:
        study, pretrainings, post_trainings, evaluations, figures. The last row is the whole grid.
    """
    rows = []
    for name, study in grid.file.studies.items():
        models, runs = grid.study_models(study), grid.study_runs(study)
        trained = sum(not model.imported for model in models)
        evaluations = (len(models) + len(runs)) * len(study.benchmarks)
        rows.append((name, trained, len(runs), evaluations, len(study.figures)))
    whole = ("whole grid", len(grid.trained_models), len(grid.runs), len(grid.evaluations), len(grid.figures))
    return pd.DataFrame([*rows, whole], columns=["study", "pretrainings", "post_trainings", "evaluations", "figures"])
