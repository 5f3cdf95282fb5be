"""Print what every mixture of the grid holds, and what it would hold with the other reading of a dataset."""

from echochamber.corpora import sizes
from echochamber.data import mixture
from echochamber.grid.expansion import Grid
from echochamber.grid.specs import GridSpec
from echochamber.jobs.job import Job, main


def body(job: Job[GridSpec]) -> None:
    grid = Grid.of(job.spec)
    held = mixture.table({name: grid.paths.mixture(name) for name in grid.mixtures})
    print(held.to_string(index=False))
    for line, factors in sizes.other_readings(grid.file.corpora):
        other = mixture.scaled(held, factors)
        if len(other):
            print(f"\n{line}\n{other.to_string(index=False)}")


main("show_mixtures", GridSpec, body)
