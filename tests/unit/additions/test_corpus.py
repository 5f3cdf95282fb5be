"""CONTRIBUTING.md, "A corpus, a question set": one dataset of both, in one file."""

from grown import Grown

SUMS = '''
"""Sums in words."""

from echochamber.datasets.dataset import HubCorpus, HubQuestionSet

CORPUS = HubCorpus("somebody/sums", ("train.jsonl",), ("ask", "tell"), "MIT", documents=2, characters=30)
QUESTIONS = HubQuestionSet(
    repository="somebody/sums",
    patterns={"test": ("test.jsonl",)},
    question=(("ask",),),
    gold=("tell",),
    gold_form="after_hashes",
    licence="MIT",
    sizes={"test": 1},
    characters=10,
)
'''

USE = """
import json
from pathlib import Path

from echochamber.corpora import sizes, sources
from echochamber.settings import HubQuestions, HubSource

rows = [{"ask": "2 and 3?", "tell": "2 + 3 = 5 #### 5"}, {"ask": "1 and 1?", "tell": "#### 2"}]
Path("files").mkdir()
Path("files/train.jsonl").write_text("".join(json.dumps(row) + "\\\\n" for row in rows))
Path("files/test.jsonl").write_text(json.dumps(rows[0]) + "\\\\n")
corpus = HubSource(kind="hub", dataset="two-sums", path="files")
assert [d.text for d in sources.documents(corpus, "sums", "data")] == [
    "2 and 3?\\\\n\\\\n2 + 3 = 5 #### 5", "1 and 1?\\\\n\\\\n#### 2"
]
(question,) = sources.questions(HubQuestions(kind="hub", dataset="two-sums", path="files"), "sums", "test", "data")
assert (question.question, question.answer) == ("2 and 3?", "5")
assert sizes.CORPORA["two-sums"].tokens == 2 * 30 / 3.0 and sizes.QUESTIONS["two-sums"].test == 1
"""


def test_a_corpus_and_a_question_set_are_one_file_and_one_line(tmp_path):
    grown = Grown(tmp_path)
    grown.add("datasets/two_sums.py", SUMS)
    grown.register("datasets/__init__.py", '"svamp",', '"two-sums",')
    grown.run(USE.replace("\\\\n", "\\n"))
