"""A run's way out: its last checkpoint with a card, tables and figures, and its samples as a data set, to the hub.

Everything that would be uploaded lies in `results/<grid>/publish/<run>/` first, to be looked at: `model/` and
`samples/` are the two repositories. Checkpoints and tables are linked, not copied. Imports no torch.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from echochamber.analysis.tables import tables
from echochamber.errors import UserError, shortened
from echochamber.evaluation.samples_file import SAMPLES
from echochamber.grid.expansion import Grid
from echochamber.grid.ids import Run
from echochamber.jobs import files
from echochamber.report import model_card

SAMPLES_SUFFIX = "-samples"
"""Of the data set's repository, after the model's."""


def publish(grid: Grid, run_id: str, to: str, *, public: bool = False) -> Iterator[str]:
    """Lay out what there is to publish, and upload it where `to` names a repository; yields what to say, line by line.

    Args:
        run_id: of a finished run; empty: the grid's only one.
        to: `owner/name` on the hub; empty: nothing leaves this machine.

    Raises:
        UserError: no such run, it is not finished, or the hub refuses.
    """
    run = _run(grid, run_id)
    folder = lay_out(grid, run)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        yield f"{path.stat().st_size:>14,}  {path.relative_to(folder).as_posix()}"
    if not to:
        yield f"dry run: {folder} is what would be uploaded; --config to=OWNER/NAME uploads it"
        return
    for kind, repository in (("model", to), ("dataset", to + SAMPLES_SUFFIX)):
        yield _upload(folder / ("model" if kind == "model" else "samples"), repository, kind, public)


def lay_out(grid: Grid, run: Run) -> Path:
    """Write the folder that is published, anew; returns it."""
    paths, folder = grid.paths, grid.paths.root / "publish" / run.id.replace("/", "--")
    checkpoints = sorted(paths.job(run).glob("checkpoints/step_*"))
    wanted = [paths.job(run) / "provenance.json", paths.tables / "gains.csv", paths.tables / "scores.csv"]
    if missing := [path for path in wanted if not path.exists()] or ([] if checkpoints else [paths.job(run)]):
        raise UserError(f"{missing[0]}: found nothing, allowed: a grid that is finished (snakemake makes it)")
    last = checkpoints[-1]
    provenance = json.loads(wanted[0].read_text(encoding="utf-8"))
    text = model_card.card(grid, run, tables.read(paths.tables), provenance, int(last.name.removeprefix("step_")))

    def write(aside: Path) -> None:
        model, samples = aside / "model", aside / "samples"
        _link_all(last, model)
        files.write_text(model / "README.md", text)
        files.write_json(model / "provenance.json", _without_host(provenance))
        for table in sorted(paths.tables.glob("*.csv")):
            _link(table, model / "tables" / table.name)
        for study, figure in grid.figures:
            if run in grid.study_runs(grid.file.studies[study]):
                for drawn in (paths.figures / f"{study}-{figure}.{kind}" for kind in ("png", "pdf")):
                    _link(drawn, model / "figures" / drawn.name)
        configs = {}
        for id, benchmark in grid.evaluations:
            if id in (run.id, run.model.id) and paths.samples(id, benchmark).exists():
                name = benchmark if id == run.id else _name_of_base(benchmark, {*grid.file.benchmarks, *configs})
                configs[name] = f"data/{name}.parquet"
                _link(paths.samples(id, benchmark), samples / configs[name])
        columns = {column.name: column.meaning for column in SAMPLES.columns}
        (samples / "README.md").write_text(model_card.samples_card(grid, run, configs, columns), encoding="utf-8")

    files.write_aside(folder, write)
    return folder


def _name_of_base(benchmark: str, taken: set[str]) -> str:
    """What the base model's samples are called: a name that no other samples have."""
    name = f"{benchmark}-base"
    while name in taken:
        name += "-base"
    return name


def _run(grid: Grid, run_id: str) -> Run:
    known = sorted(grid.runs)
    if not run_id and len(known) == 1:
        return grid.runs[known[0]]
    if run_id not in grid.runs:
        raise UserError(
            f"run: found {run_id or 'nothing'}, allowed: {', '.join(known) or 'none (the grid has no runs)'}"
        )
    return grid.runs[run_id]


def _without_host(provenance: dict[str, Any]) -> dict[str, Any]:
    """What made the run, without the name of the machine."""
    machine = {key: value for key, value in provenance.get("machine", {}).items() if key != "host"}
    return provenance | {"machine": machine}


def _link_all(source: Path, target: Path) -> None:
    for path in sorted(path for path in source.rglob("*") if path.is_file()):
        _link(path, target / path.relative_to(source))


def _link(source: Path, target: Path) -> None:
    """Raises FileExistsError if there is a target: to copy would write into what it is a link to."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:  # another file system
        shutil.copyfile(source, target)


def _upload(folder: Path, repository: str, kind: str, public: bool) -> str:
    from huggingface_hub import HfApi

    try:
        api = HfApi()
        api.create_repo(repository, repo_type=kind, private=not public, exist_ok=True)
        if not public and not api.repo_info(repository, repo_type=kind).private:
            raise UserError(f"to: {repository} is there and public, allowed: a private one, or public=true")
        commit = api.upload_folder(
            repo_id=repository, repo_type=kind, folder_path=folder, commit_message="Upload by echochamber"
        )
    except UserError:
        raise
    except Exception as error:  # whatever the network, the hub or a library that speaks with them makes of it
        raise UserError(
            f"to: {repository}: the upload failed ({type(error).__name__}: {shortened(str(error))}), "
            "allowed: a repository that HF_TOKEN may write to"
        ) from None
    return f"uploaded {kind} {repository}: {commit.commit_url}"
