"""labels.parquet: functions of the user's own are imported before any completion's time runs."""

from __future__ import annotations

import pandas as pd
import pytest

from echochamber.behaviours import labelling
from echochamber.errors import UserError
from echochamber.evaluation import labels
from echochamber.settings import Behaviour

SLOW = "import time\nend = time.process_time() + 0.4\nwhile time.process_time() < end:\n    pass\n"


@pytest.fixture
def samples(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*__import__("sys").path])
    rows = {"step": 0, "mode": "sample", "question_id": "q", "sample": [0, 1], "completion": ["a", "b"], "tokens": 1}
    pd.DataFrame(rows).to_parquet(tmp_path / "samples.parquet")
    return tmp_path / "samples.parquet"


def test_an_import_is_in_no_completions_time(samples, monkeypatch):
    monkeypatch.setattr(labelling, "SECONDS", 0.1)
    (samples.parent / "own_slow_import.py").write_text(f"{SLOW}def holds(text):\n    return text == 'a'\n")
    behaviour = Behaviour(marks={"m": {"function": "own_slow_import:holds"}})
    assert labels.label(samples, {"b": behaviour}, samples)["b/m"].tolist() == ["yes", "no"]


def test_an_import_that_fails_is_one_line(samples):
    behaviour = Behaviour(labels={"l": {"function": "own_nowhere:holds"}})
    with pytest.raises(UserError) as raised:
        labels.label(samples, {"b": behaviour}, samples)
    assert str(raised.value) == (
        "behaviours.b.labels.l.function: 'own_nowhere:holds' cannot be imported (ModuleNotFoundError: No module named "
        "'own_nowhere'), allowed: module:function"
    )
