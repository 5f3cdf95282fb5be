"""Questions as jobs read them."""

from dataclasses import asdict

import pytest

from echochamber.corpora.documents import Question
from echochamber.corpora.sources import read_questions
from echochamber.errors import UserError
from echochamber.jobs import files


def test_the_first_so_many_or_an_error(tmp_path):
    questions = [Question(f"q{i}", f"What is {i}?", str(i), None) for i in range(3)]
    files.write_json_lines(tmp_path / "test.jsonl", map(asdict, questions))
    assert read_questions(tmp_path / "test.jsonl") == read_questions(tmp_path / "test.jsonl", 3) == questions
    assert read_questions(tmp_path / "test.jsonl", 2) == questions[:2]
    with pytest.raises(
        UserError, match=r"test\.jsonl: found 3 questions, allowed: at least the 4 that `count` asks for"
    ):
        read_questions(tmp_path / "test.jsonl", 4)
