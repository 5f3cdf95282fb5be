"""Write the manifest of one mixture: which corpora, how many passes, how many tokens."""

from echochamber import files, mixture
from echochamber.job import Job, main


def body(job: Job) -> None:
    spec = job.spec
    manifest = mixture.manifest(spec["passes"], spec["corpora"], spec["background"])
    files.write_json(job.out.with_suffix(".json"), manifest)


main("make_mixture", body)
