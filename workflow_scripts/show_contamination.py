"""Write and print which share of each source's documents gives questions away."""

import json

from echochamber import contamination, files
from echochamber.grid import Grid
from echochamber.job import Job, main


def body(job: Job) -> None:
    grid = Grid.from_spec(job.spec)
    scans = {
        source: [json.loads(grid.paths.contamination(*shard).read_text("utf-8")) for shard in grid.shards(source)]
        for source in grid.corpora
    }
    table = contamination.table(scans, contamination.index(grid.paths.questions(*file) for file in grid.question_files))
    files.write_csv(job.out / "contamination.csv", table)
    print(table.to_string(index=False))


main("show_contamination", body)
