"""Join the shards of a corpus: one manifest with the counts of all."""

from echochamber import shards
from echochamber.job import Job, main


def body(job: Job) -> None:
    spec, settings = job.spec, job.spec["settings"]
    manifest = shards.write_manifest(
        job.out,
        settings["shards"],
        spec["held_out_documents"],
        settings["max_tokens"],
        settings.get("bad_rows", 0.0),
    )
    job.write_provenance(manifest=manifest)


main("join_corpus", body)
