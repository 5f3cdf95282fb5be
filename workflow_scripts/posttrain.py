"""Post-train one model with one algorithm on one set of prompts."""

from pathlib import Path

from echochamber.corpora.sources import read_questions
from echochamber.data import origins
from echochamber.grid.specs import PosttrainSpec
from echochamber.jobs.job import Job, main
from echochamber.models import architecture, weights
from echochamber.models import device as devices
from echochamber.models.parallel import Processes
from echochamber.models.training_job import run
from echochamber.rl import expert_iteration, policy_gradient
from echochamber.rl.run import refuse_few_questions
from echochamber.settings import ExpertIteration
from echochamber.stats.streams import stream_seed
from echochamber.verify import counters


def body(job: Job[PosttrainSpec]) -> None:
    spec, device = job.spec, devices.pick(job.stop)
    settings = spec.settings
    trainer = expert_iteration if isinstance(settings, ExpertIteration) else policy_gradient
    model, tokenizer = architecture.load(weights.folder(spec.base), device)
    questions = read_questions(Path(spec.questions), spec.count)
    refuse_few_questions(settings, questions)
    run(
        job,
        Processes(device),
        lambda state: trainer.train(
            settings,
            model,
            tokenizer,
            questions,
            seed=stream_seed(spec.stream),
            state=state,
            stop=job.stop,
            device=device,
            form=spec.form,
        ),
        report=lambda: {"verifier": counters()} | origins.of(spec),
    )


main("posttrain", PosttrainSpec, body)
