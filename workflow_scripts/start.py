"""Run a job's script: what the rules call."""

from pathlib import Path

from echochamber.jobs.start import main

main(Path(__file__).parent)
