"""Run a stage in several processes."""

from pathlib import Path

from echochamber.jobs.launch import main

main(Path(__file__).parent)
