"""Sample answers to one question set from every checkpoint of one model or run."""

from pathlib import Path

from echochamber import device as devices
from echochamber import evaluate
from echochamber import model as models
from echochamber.corpora.sources import read_questions
from echochamber.job import Interrupted, Job, main
from echochamber.lock import sole_writer
from echochamber.settings import Benchmark


def body(job: Job) -> None:
    spec = job.spec
    settings = Benchmark(**spec["settings"])
    with sole_writer(job.state, job.stop) as held:
        if not held:
            raise Interrupted(job.stop.reason)
        evaluate.run(
            settings,
            models.checkpoints(spec),
            read_questions(Path(spec["questions"]))[: settings.count],
            id=spec["id"],
            question_set=spec["question_set"],
            state=job.state,
            spec=spec,
            out=job.out / spec.get("file", "samples.parquet"),
            stop=job.stop,
            device=devices.pick(job.stop),
            modes=spec.get("modes", evaluate.MODES),
        )


main("evaluate_checkpoints", body)
