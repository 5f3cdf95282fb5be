"""Label the completions of one evaluation by the grid's behaviours, and measure the labels."""

from pathlib import Path

from echochamber.analysis.behaviours import measure, tables
from echochamber.analysis.tables import table_files
from echochamber.evaluation import labels
from echochamber.grid.specs import LabelSpec
from echochamber.jobs.job import Job, main


def body(job: Job[LabelSpec]) -> None:
    spec, file = job.spec, job.out / "labels.parquet"
    labels.write(file, labels.label(Path(spec.samples), spec.behaviours, Path(spec.base or spec.samples)))
    table_files.write_measures(job.out / "measures.parquet", tables.OF_EVALUATIONS, measure.measure(spec, file))
    read = [Path(name) for name in (spec.samples, spec.base, spec.base_labels, spec.log) if name]
    job.write_provenance(read=read)


main("label_evaluation", LabelSpec, body)
