"""Write one split of a question set as JSON lines."""

from dataclasses import asdict

from echochamber import files
from echochamber.corpora import sources
from echochamber.job import Job, main


def body(job: Job) -> None:
    spec = job.spec
    questions = sources.questions(spec["settings"], spec["name"], spec["split"], spec.get("data", ""))
    files.write_json_lines(job.out / f"{spec['split']}.jsonl", map(asdict, questions))


main("make_questions", body)
