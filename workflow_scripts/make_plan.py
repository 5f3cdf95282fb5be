"""Write plan.csv and print it: what the jobs of each study and of the whole grid take."""

from echochamber import files
from echochamber.grid import Grid
from echochamber.job import Job, main
from echochamber.planning.plan import plan, readable


def body(job: Job) -> None:
    grid = Grid.from_spec(job.spec)
    table = plan(grid)
    files.write_csv(job.out / "plan.csv", table)
    print(readable(grid, table))


main("make_plan", body)
