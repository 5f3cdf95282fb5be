"""Write one split of a question set as JSON lines."""

from echochamber.corpora import sources
from echochamber.data import origins
from echochamber.grid.specs import QuestionsSpec
from echochamber.jobs import files
from echochamber.jobs.job import Job, main


def body(job: Job[QuestionsSpec]) -> None:
    spec = job.spec
    hub = origins.of(spec)
    questions = sources.questions(spec.settings, spec.name, spec.split, spec.data, spec.solutions)
    files.write_json_lines(job.out / f"{spec.split}.jsonl", map(sources.question_row, questions))
    job.write_provenance(f"{spec.split}.provenance.json", **hub)


main("make_questions", QuestionsSpec, body)
