"""Sample answers to one question set from every checkpoint of one model or run."""

from pathlib import Path

from echochamber.corpora.sources import read_questions
from echochamber.data import origins
from echochamber.errors import Interrupted
from echochamber.evaluation import evaluate
from echochamber.grid.specs import EvaluateSpec
from echochamber.jobs.job import Job, main
from echochamber.jobs.lock import sole_writer
from echochamber.models import device as devices
from echochamber.models import weights


def body(job: Job[EvaluateSpec]) -> None:
    spec = job.spec
    with sole_writer(job.state, job.stop) as held:
        if not held:
            raise Interrupted(job.stop.reason)
        evaluate.run(
            spec.settings,
            weights.checkpoints(spec.weights),
            read_questions(Path(spec.questions), spec.settings.count),
            id=spec.id,
            question_set=spec.question_set,
            state=job.state,
            spec=spec,
            out=job.out / spec.file,
            stop=job.stop,
            device=devices.pick(job.stop),
            modes=spec.modes,
            examples=read_questions(Path(spec.examples)) if spec.examples else (),
        )
        read = [Path(name) for name in (spec.questions, spec.examples) if name]
        job.write_provenance(read=read, **origins.of(spec))


main("evaluate_checkpoints", EvaluateSpec, body)
