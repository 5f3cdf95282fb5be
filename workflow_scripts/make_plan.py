"""Write plan.csv and print it: what the jobs of each study and of the whole grid take, and what claims still miss."""

from echochamber.analysis.claims import needs
from echochamber.grid.expansion import Grid
from echochamber.grid.specs import GridSpec
from echochamber.jobs import files
from echochamber.jobs.job import Job, main
from echochamber.planning.plan import plan, readable


def body(job: Job[GridSpec]) -> None:
    grid = Grid.of(job.spec)
    table = plan(grid, ask=True)
    files.write_csv(job.out / "plan.csv", table)
    print(readable(grid, table))
    if claims := needs.readable(grid):
        print(f"\n{claims}")


main("make_plan", GridSpec, body)
