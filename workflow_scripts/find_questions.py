"""Look for the grid's questions in one shard of a source."""

from pathlib import Path

from echochamber.corpora import sources
from echochamber.data import contamination
from echochamber.grid.specs import ContaminationShardSpec
from echochamber.jobs import files
from echochamber.jobs.job import Job, Rate, main


def body(job: Job[ContaminationShardSpec]) -> None:
    spec, shards = job.spec, job.spec.settings.shards
    documents = sources.documents(spec.settings, spec.source, spec.data, spec.shard, shards)
    hits = contamination.scan(documents, contamination.index(spec.questions), Rate("document").update)
    name = files.part_name(spec.shard, shards)
    files.write_json(job.out / f"{name}.json", hits)
    job.write_provenance(f"{name}.provenance.json", read=map(Path, spec.questions))


main("find_questions", ContaminationShardSpec, body)
