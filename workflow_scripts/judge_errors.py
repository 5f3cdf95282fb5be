"""Let the judge of the grid file name the errors of wrong answers; write the table of what it found."""

from functools import partial

from echochamber import files
from echochamber.analysis import judged
from echochamber.grid import Grid
from echochamber.job import Interrupted, Job, main
from echochamber.judge import judge_all
from echochamber.lock import sole_writer


def body(job: Job) -> None:
    grid = Grid.from_spec(job.spec)
    with sole_writer(job.state, job.stop) as held:
        if not held:
            raise Interrupted(job.stop.reason)
        ask = partial(judge_all, grid.file.judge, kept=job.state / "answers.jsonl", stop=job.stop)
        files.write_csv(job.out / "judged.csv", judged.table(grid, ask))


main("judge_errors", body)
