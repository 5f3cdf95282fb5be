"""Pretrain one model from scratch on one mixture."""

import json
from pathlib import Path

from echochamber import parallel, pretrain
from echochamber.job import Job, main
from echochamber.settings import Pretraining, Scale
from echochamber.tokens import load_tokenizer
from echochamber.training_job import run


def body(job: Job) -> None:
    spec = job.spec
    with parallel.joined(job.stop) as processes:
        run(
            job,
            processes,
            lambda state: pretrain.train(
                Pretraining(**spec["settings"]),
                Scale(**spec["scale"]),
                json.loads(Path(spec["mixture"]).read_text(encoding="utf-8")),
                load_tokenizer(Path(spec["tokenizer"])),
                seed=spec["seed"],
                state=state,
                stop=job.stop,
                processes=processes,
            ),
        )


main("pretrain", body)
