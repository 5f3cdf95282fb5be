"""Write plan.csv: the jobs of each study and of the whole grid."""

from echochamber import files
from echochamber.grid import Grid
from echochamber.job import Job, main
from echochamber.plan import plan


def body(job: Job) -> None:
    files.write_csv(job.out / "plan.csv", plan(Grid.from_spec(job.spec)))


main("make_plan", body)
