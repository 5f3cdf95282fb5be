"""Write and print which share of each source's documents gives questions away."""

import json
from itertools import chain

from echochamber.data import contamination
from echochamber.grid.expansion import Grid
from echochamber.grid.specs import GridSpec
from echochamber.jobs import files
from echochamber.jobs.job import Job, main


def body(job: Job[GridSpec]) -> None:
    grid = Grid.of(job.spec)
    shards = {source: [grid.paths.contamination(*shard) for shard in grid.shards(source)] for source in grid.corpora}
    scans = {source: [json.loads(path.read_text("utf-8")) for path in paths] for source, paths in shards.items()}
    table = contamination.table(scans, contamination.index(grid.questions))
    files.write_csv(job.out / "contamination.csv", table)
    job.write_provenance("contamination.provenance.json", read=[*grid.questions, *chain(*shards.values())])
    print(table.to_string(index=False))


main("show_contamination", GridSpec, body)
