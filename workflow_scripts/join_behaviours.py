"""Join the tables of behaviours of one study from what the labels of its evaluations add to them."""

from echochamber.analysis.behaviours import join
from echochamber.grid.expansion import Grid
from echochamber.grid.specs import StudySpec
from echochamber.jobs.job import Job, main


def body(job: Job[StudySpec]) -> None:
    grid = Grid.of(job.spec)
    join.join_files(grid, job.spec.study, job.out)
    job.write_provenance(read=[grid.paths.label_measures(*evaluation) for evaluation in grid.evaluations])


main("join_behaviours", StudySpec, body)
