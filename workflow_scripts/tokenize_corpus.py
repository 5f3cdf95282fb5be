"""Make the documents of one source and store them as token ids."""

import json
from pathlib import Path

from tokenizers import Tokenizer

from echochamber import shards
from echochamber.corpora import sources
from echochamber.job import Job, main


def body(job: Job) -> None:
    spec = job.spec
    documents = sources.documents(spec["settings"], spec["source"])
    folder = Path(spec["tokenizer"])
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    end = tokenizer.token_to_id(json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))["eos_token"])
    manifest = shards.write_corpus(
        documents, tokenizer, end, job.out, spec["held_out_documents"], spec["settings"]["max_tokens"]
    )
    job.write_provenance(manifest=manifest)


main("tokenize_corpus", body)
