"""A registration says what was fixed, and is not taken for that of a changed file."""

from __future__ import annotations

from pathlib import Path

import fabricated
import pytest

from echochamber.errors import UserError
from echochamber.grid import parsing, registration
from echochamber.grid.registration import Entry
from echochamber.settings import GridFile

STUDY = {"prompts": ["synth-gsm"], "algorithms": ["grpo"], "mixtures": ["tg+omi1+omi2"]}


def grid_file(path: Path | None, **more) -> GridFile:
    return GridFile.model_validate(fabricated.grid_file(one=STUDY) | {"registered": str(path) if path else None} | more)


def entry(file: GridFile, thresholds: str = "a", note: str = "") -> Entry:
    return Entry("2026-01-01T00:00:00Z", "c0ffee" * 5, registration.fingerprint(file), thresholds, note)


def test_what_is_registered_is_named_and_what_changed_is_not_called_registered(tmp_path):
    path = tmp_path / "study.registration.json"
    file = grid_file(path)
    assert "is not there" in registration.in_words(file, "a")
    registration.register(path, entry(file))
    assert registration.in_words(file, "a").startswith("Registered 2026-01-01T00:00:00Z (on commit c0ffeec0ff)")
    assert registration.in_words(file, "b").startswith("NOT as registered: the thresholds changed")
    study = STUDY | {"model_seeds": [0, 1]}
    more = grid_file(path, studies=fabricated.grid_file(one=study)["studies"])
    assert registration.in_words(more, "a").startswith("NOT as registered: the grid file changed")
    primary = {"C2": {"study": "one"}}
    asked = fabricated.grid_file(one=STUDY | {"claims": ["C2"]})["studies"]
    assert "NOT as registered" in registration.in_words(grid_file(path, studies=asked, primary=primary), "b")
    elsewhere = grid_file(path, hardware={"device": "H100"})
    assert "are as registered" in registration.in_words(elsewhere, "a")
    assert "not registered" in registration.in_words(grid_file(None), "a")


def test_an_amendment_has_a_reason_and_a_change(tmp_path):
    path = tmp_path / "study.registration.json"
    file = grid_file(path)
    registration.register(path, entry(file))
    with pytest.raises(UserError, match="nothing has changed"):
        registration.register(path, entry(file, note="again"))
    with pytest.raises(UserError, match="an amendment needs a note"):
        registration.register(path, entry(file, thresholds="b"))
    registration.register(path, entry(file, thresholds="b", note="a typing error"))
    assert "amended 2026-01-01T00:00:00Z: a typing error" in registration.in_words(file, "b")
    path.write_text("{}")
    with pytest.raises(UserError, match=r"study\.registration\.json: found no registration"):
        registration.in_words(file, "b")


def test_the_registered_study_is_as_registered():
    """Of the repository: whoever changes the grid file or the thresholds says so with `make register NOTE=...`."""
    from echochamber.analysis.claims.thresholds import thresholds_sha256

    root = Path(__file__).parents[3]
    file = parsing.load(root / "config/study.yaml").file
    here = file.model_copy(update={"registered": str(root / file.registered)})
    assert "are as registered" in registration.in_words(here, thresholds_sha256(file))
