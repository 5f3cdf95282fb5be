"""Measure one evaluation: its rows of the tables, from its samples and those of its base model."""

from pathlib import Path

from echochamber.analysis.tables import measure, table_files
from echochamber.grid.specs import MeasureSpec
from echochamber.jobs.job import Job, main


def body(job: Job[MeasureSpec]) -> None:
    spec = job.spec
    table_files.write_measures(job.out / f"{spec.question_set}.parquet", measure.OF_RUNS, measure.measure(spec))
    read = [Path(name) for name in (spec.samples, spec.base, spec.log, spec.questions if spec.base else "") if name]
    job.write_provenance(f"{spec.question_set}.provenance.json", read=read)


main("measure_evaluation", MeasureSpec, body)
