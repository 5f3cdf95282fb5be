"""Join the shards of a corpus: one manifest with the counts of all."""

from echochamber.data import shards
from echochamber.grid.specs import CorpusSpec
from echochamber.jobs import files
from echochamber.jobs.job import Job, main


def body(job: Job[CorpusSpec]) -> None:
    spec, settings = job.spec, job.spec.settings
    bad_rows = 0.0 if settings.kind == "synthetic" else settings.bad_rows
    manifest = shards.write_manifest(job.out, settings.shards, spec.held_out_documents, settings.max_tokens, bad_rows)
    names = [files.part_name(i, settings.shards) for i in range(settings.shards)]
    job.write_provenance(read=[job.out / "shards" / f"{name}.json" for name in names], manifest=manifest)


main("join_corpus", CorpusSpec, body)
