"""Post-train one model with one algorithm on one set of prompts."""

from pathlib import Path

from pydantic import TypeAdapter

from echochamber import device as devices
from echochamber import model as models
from echochamber.corpora.sources import read_questions
from echochamber.job import Job, main
from echochamber.parallel import Processes
from echochamber.rl import expert_iteration, policy_gradient
from echochamber.settings import Algorithm
from echochamber.training_job import run
from echochamber.verify import counters


def body(job: Job) -> None:
    spec, device = job.spec, devices.pick(job.stop)
    settings = TypeAdapter(Algorithm).validate_python(spec["settings"])
    algorithm = expert_iteration if settings.kind == "expert_iteration" else policy_gradient
    model, tokenizer = models.load(models.find(spec), device)
    questions = read_questions(Path(spec["questions"]))[: spec["count"]]
    run(
        job,
        Processes(device),
        lambda state: algorithm.train(
            settings,
            model,
            tokenizer,
            questions,
            seed=spec["seed"],
            state=state,
            stop=job.stop,
            device=device,
        ),
        report=lambda: {"verifier": counters()},
    )


main("posttrain", body)
