"""Look for the grid's questions in one shard of a source."""

from echochamber import contamination, files
from echochamber.corpora import sources
from echochamber.job import Job, Rate, main


def body(job: Job) -> None:
    spec, shards = job.spec, job.spec["settings"]["shards"]
    documents = sources.documents(spec["settings"], spec["source"], spec.get("data", ""), spec["shard"], shards)
    found = contamination.scan(documents, contamination.index(spec["questions"]), Rate("document").update)
    files.write_json(job.out / f"{files.part_name(spec['shard'], shards)}.json", found)


main("find_questions", body)
