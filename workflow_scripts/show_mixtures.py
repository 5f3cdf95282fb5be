"""Print what every mixture of the grid holds."""

from echochamber import mixture
from echochamber.grid import Grid
from echochamber.job import Job, main


def body(job: Job) -> None:
    grid = Grid.from_spec(job.spec)
    print(mixture.table({name: grid.paths.mixture(name) for name in grid.mixtures}).to_string(index=False))


main("show_mixtures", body)
