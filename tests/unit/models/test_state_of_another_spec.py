"""A state folder that another spec has left behind is set aside by name, and comes back with its spec."""

import logging

from echochamber.models.checkpoint import start_afresh_unless_same


def test_nothing_is_deleted_and_the_log_names_it(tmp_path, caplog):
    state = tmp_path / "seed0"
    start_afresh_unless_same(state, {"seed": 0})
    (state / "kept").write_text("of seed 0")
    with caplog.at_level(logging.WARNING):
        start_afresh_unless_same(state, {"seed": 1})
    assert not (state / "kept").exists()
    (aside,) = tmp_path.glob("seed0.of-*")
    assert (aside / "kept").read_text() == "of seed 0"
    assert str(aside) in caplog.text
    (state / "kept").write_text("of seed 1")
    start_afresh_unless_same(state, {"seed": 0})
    assert (state / "kept").read_text() == "of seed 0"
    (other,) = tmp_path.glob("seed0.of-*")
    assert (other / "kept").read_text() == "of seed 1"


def test_what_was_set_aside_before_is_kept_too(tmp_path):
    """State without a spec, twice: both times it gets a name of its own."""
    state = tmp_path / "seed0"
    for number in range(3):
        state.mkdir(exist_ok=True)
        (state / "kept").write_text(f"number {number}")
        (state / "spec.json").unlink(missing_ok=True)
        start_afresh_unless_same(state, {"seed": 0})
        assert not (state / "kept").exists()
    kept = [path.read_text() for path in sorted(tmp_path.glob("seed0.of-*/kept"))]
    assert sorted(kept) == ["number 0", "number 1", "number 2"]
