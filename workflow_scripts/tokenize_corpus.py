"""Make the documents of one source and store them as token ids."""

from pathlib import Path

from echochamber import tokens
from echochamber.corpora import sources
from echochamber.job import Job, main


def body(job: Job) -> None:
    spec = job.spec
    documents = sources.documents(spec["settings"], spec["source"])
    tokenizer = tokens.load_tokenizer(Path(spec["tokenizer"]))
    manifest = tokens.write_corpus(documents, tokenizer, job.out, spec["held_out_documents"])
    job.write_provenance(manifest=manifest)


main("tokenize_corpus", body)
