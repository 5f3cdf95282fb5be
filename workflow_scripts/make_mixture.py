"""Write the manifest of one mixture: which corpora, how many passes, how many tokens."""

from pathlib import Path

from echochamber.data import mixture
from echochamber.grid.specs import MixtureSpec
from echochamber.jobs import files
from echochamber.jobs.job import Job, main


def body(job: Job[MixtureSpec]) -> None:
    spec = job.spec
    manifest = mixture.manifest(spec.passes, spec.corpora, list(spec.background))
    files.write_json(job.out.with_name(f"{job.out.name}.json"), manifest)
    corpora = [Path(folder) / "manifest.json" for folder in spec.corpora.values()]
    job.write_provenance(job.out.with_name(f"{job.out.name}.provenance.json"), read=corpora)


main("make_mixture", MixtureSpec, body)
