"""Pretrain one model from scratch on one mixture, or train it further in a stage."""

import json
from pathlib import Path

from echochamber.data import mixture
from echochamber.data.tokenizer import load_tokenizer
from echochamber.grid.specs import PretrainSpec
from echochamber.jobs.job import Job, main
from echochamber.models import architecture, parallel, weights
from echochamber.models.training_job import run
from echochamber.pretraining import trainer
from echochamber.stats.streams import stream_seed


def body(job: Job[PretrainSpec]) -> None:
    spec = job.spec
    manifest = json.loads(Path(spec.mixture).read_text(encoding="utf-8"))
    with parallel.joined(job.stop) as processes:
        if processes.first:
            mixture.verify(manifest)
        base = architecture.load(weights.folder(spec.base), processes.device)[0] if spec.base else None
        run(
            job,
            processes,
            lambda state: trainer.train(
                spec.settings,
                spec.scale,
                manifest,
                load_tokenizer(Path(spec.tokenizer)),
                seed=stream_seed(spec.stream),
                state=state,
                stop=job.stop,
                processes=processes,
                base=base,
                solutions_only=spec.loss == "solution",
            ),
        )


main("pretrain", PretrainSpec, body)
