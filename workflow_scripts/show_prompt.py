"""Print what every model of the grid is given, token by token."""

from echochamber.evaluation import shown_prompts
from echochamber.grid.expansion import Grid
from echochamber.grid.specs import GridSpec
from echochamber.jobs.job import Job, main


def body(job: Job[GridSpec]) -> None:
    for line in shown_prompts.shown(Grid.of(job.spec)):
        print(line)


main("show_prompt", GridSpec, body)
