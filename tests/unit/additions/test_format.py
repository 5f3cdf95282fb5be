"""CONTRIBUTING.md, "A format": `<think> ... </think>`, thoughts with an answer behind them, in one file."""

from grown import PACKAGE, Grown

THINK = '''
"""Thoughts between tags, then the answer by itself."""

from echochamber.formats.format import Format
from echochamber.formats.rendering import sentences


def _starts(text):
    return text.find("<think>")


def _behind(text):
    """What follows the last closing tag; nothing where the thoughts were never closed."""
    return text.rpartition("</think>")[2] if "</think>" in text else None


def _render(problem, steps, look):
    thoughts = "\\n".join([("So", "Thus")[look.twin], *sentences(problem, steps, "")])
    return f"<think>\\n{thoughts}\\n</think>\\n{steps[-1].value}"


FORMAT = Format(
    label="think",
    words="thoughts between tags, then the answer",
    colour="#56B4E9",
    marker="v",
    starts=_starts,
    executed=_behind,
    render=_render,
)
'''

USE = """
import pandas as pd
from echochamber.corpora.styles import style_of
from echochamber.corpora.synthetic import documents
from echochamber.figures import style
from echochamber.formats import FORMATS
from echochamber.formats.classification import classify
from echochamber.rl.columns import METRICS
from echochamber.rl.rewards import Judged, Verdict, earned
from echochamber.settings import SyntheticSource, PolicyGradient
from echochamber.algorithms import algorithm
from echochamber.verify import verify_batch
from echochamber.verify.reasoning.traces import trace

assert FORMATS == ("tinygsm", "omi1", "omi2", "think", "text", "other")
# how it is recognised
thought = "<think>\\nHalf of 8 is \\\\boxed{4}, so 4 + 1 = 5.\\n</think>\\n5"
assert classify(thought) == "think"
assert classify(thought.replace("<think>", "")) == "omi2"
# where its answer stands: behind the thoughts, whatever is boxed in them
verdicts = verify_batch([thought, thought + "0", thought.partition("</think>")[0]], ["5"] * 3)
assert [v.correct for v in verdicts] == [True, False, False], verdicts
assert [v.format for v in verdicts] == ["think"] * 3
assert verdicts[2].status == "no_answer"
# what the embedded world writes in it, and what is right of that
source = SyntheticSource(kind="synthetic", style="think", documents=50, seed=1)
texts = [document.text.partition("\\n\\n")[2] for document in documents(source, "t")]
assert len(texts) == 50 and all(classify(text) == "think" for text in texts)
assert all(text.rpartition("</think>")[2].strip().isdigit() for text in texts)
assert style_of(texts[0], "think") == {}
assert trace(thought, "think")
# what is counted and drawn
assert {"share_think", "accuracy_think"} <= set(METRICS)
assert style.FORMAT_COLOURS["think"] == "#56B4E9" and len(set(style.FORMAT_COLOURS.values())) == 6
assert algorithm(kind="grpo", reward="format:think").reward == "format:think"
assert earned("format:think", Judged([], [], [], [], verdicts, 3, None))[0].tolist() == [1.0, 1.0, 1.0]
"""


def test_a_format_is_one_file_and_one_line(tmp_path):
    grown = Grown(tmp_path)
    grown.add("formats/think.py", THINK)
    grown.register("formats/__init__.py", '"omi2",', '"think",')
    grown.run(USE)


def test_every_module_of_the_folder_that_holds_a_format_is_registered():
    from echochamber.formats import MODULES

    files = {p.stem for p in (PACKAGE / "formats").glob("*.py") if "\nFORMAT = " in p.read_text(encoding="utf-8")}
    assert files == set(MODULES)
