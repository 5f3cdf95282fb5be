"""Train the grid's tokenizer on documents of its own sources."""

from itertools import islice

from echochamber import files, tokens
from echochamber.corpora import sources
from echochamber.job import Job, UserError, main


def body(job: Job) -> None:
    settings = job.spec["settings"]
    if settings["kind"] == "hub":
        raise UserError("tokenizer.kind: found hub, which this version can only plan, allowed: bpe")
    limit = settings["documents_per_source"]
    texts = (
        document.text
        for name, source in job.spec["sources"].items()
        for document in islice(sources.documents(source, name), limit)
    )
    tokenizer = tokens.train_bpe(texts, settings["vocabulary"])
    files.write_aside(job.out, tokenizer.save_pretrained)
    job.write_provenance(vocabulary=len(tokenizer))


main("train_tokenizer", body)
