"""Train the grid's tokenizer on documents of its own sources, or take a ready one."""

from itertools import islice
from typing import Any

from echochamber.corpora import sources
from echochamber.corpora.documents import Document
from echochamber.data import origins, tokenizer
from echochamber.grid.specs import TokenizerSpec
from echochamber.jobs import files
from echochamber.jobs.job import Job, main
from echochamber.settings import HubTokenizer


def body(job: Job[TokenizerSpec]) -> None:
    settings, data = job.spec.settings, job.spec.data
    about: dict[str, Any] = origins.of(job.spec)
    if isinstance(settings, HubTokenizer):
        trained, left_out = tokenizer.ready(settings, data)
        about |= {"left_out": left_out} if left_out else {}
    else:
        limit = settings.documents_per_source
        texts = (
            row.text
            for name, source in job.spec.sources.items()
            for row in islice(sources.documents(source, name, data), limit)
            if isinstance(row, Document)
        )
        trained = tokenizer.train_bpe(texts, settings.vocabulary)
    files.write_aside(job.out, trained.save_pretrained)
    job.write_provenance(vocabulary=len(trained), **about)


main("train_tokenizer", TokenizerSpec, body)
