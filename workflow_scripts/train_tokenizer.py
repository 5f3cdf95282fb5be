"""Train the grid's tokenizer on documents of its own sources, or take a ready one."""

from itertools import islice

from echochamber import files, tokens
from echochamber.corpora import sources
from echochamber.corpora.documents import Document
from echochamber.job import Job, main
from echochamber.settings import HubTokenizer


def body(job: Job) -> None:
    settings, data = job.spec["settings"], job.spec.get("data", "")
    if settings["kind"] == "hub":
        tokenizer = tokens.ready(HubTokenizer(**settings), data)
    else:
        limit = settings["documents_per_source"]
        texts = (
            row.text
            for name, source in job.spec["sources"].items()
            for row in islice(sources.documents(source, name, data), limit)
            if isinstance(row, Document)
        )
        tokenizer = tokens.train_bpe(texts, settings["vocabulary"])
    files.write_aside(job.out, tokenizer.save_pretrained)
    job.write_provenance(vocabulary=len(tokenizer))


main("train_tokenizer", body)
