"""Make one shard of the documents of a source and store them as token ids."""

import json
import os
from pathlib import Path

from tokenizers import Tokenizer

from echochamber.corpora import sources
from echochamber.data import contamination, origins, shards
from echochamber.grid.specs import ShardSpec
from echochamber.jobs import files
from echochamber.jobs.job import Job, Rate, main


def body(job: Job[ShardSpec]) -> None:
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # shards run side by side instead
    spec, settings = job.spec, job.spec.settings
    folder = Path(spec.tokenizer)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    end = tokenizer.token_to_id(json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))["eos_token"])
    ngrams = contamination.index(spec.leave_out)
    hub = origins.of(spec)
    shards.write_shard(
        sources.documents(settings, spec.source, spec.data, spec.shard, settings.shards),
        tokenizer,
        end,
        job.out,
        spec.shard,
        settings.shards,
        held_out=spec.held_out_documents,
        max_tokens=settings.max_tokens,
        leave_out=ngrams.hits if spec.leave_out else None,
        progress=Rate("token").update,
        about=hub,
    )
    name = files.part_name(spec.shard, settings.shards)
    read = [folder / "tokenizer.json", *map(Path, spec.leave_out)]
    job.write_provenance(f"shards/{name}.provenance.json", read=read, **hub)


main("tokenize_corpus", ShardSpec, body)
