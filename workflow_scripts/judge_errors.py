"""Let the judge of the grid file name the errors of wrong answers; write the table of what it found."""

from functools import partial

from echochamber.analysis.tables import judged, judged_pairs
from echochamber.errors import Interrupted
from echochamber.evaluation.judge import judge_all, parse_several
from echochamber.grid.expansion import Grid
from echochamber.grid.specs import GridSpec
from echochamber.jobs import files
from echochamber.jobs.job import Job, main
from echochamber.jobs.lock import sole_writer


def body(job: Job[GridSpec]) -> None:
    grid = Grid.of(job.spec)
    with sole_writer(job.state, job.stop) as held:
        if not held:
            raise Interrupted(job.stop.reason)
        ask = partial(judge_all, grid.file.judge, kept=job.state / "answers.jsonl", stop=job.stop)
        files.write_csv(job.out / "judged.csv", judged.table(grid, ask))
        if grid.file.judge.pairs:
            files.write_csv(job.out / "judged_pairs.csv", judged_pairs.table(grid, partial(ask, read=parse_several)))
    job.write_provenance("judged.provenance.json", read=[*grid.samples, *grid.questions])


main("judge_errors", GridSpec, body)
