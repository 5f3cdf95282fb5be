"""The released rules against a direct rendering of them in CPython, run in its own process on harmless programs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from verify_data import rows

from echochamber.verify import authors, verify
from echochamber.verify.workers import sandbox

REFERENCE = r"""
import contextlib, io, json, re, sys

def function(text):
    names = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec("def" + text.split("\ndef")[-1], {}, names)
        return str(names["simple_math_problem"]())

def cell(text):
    code = re.search("<llm-code>(.*?)</llm-code>", text, re.DOTALL)[1].strip()
    names = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(code, names)
        return str(eval(code.split("\n")[-1], names))

for line in sys.stdin:
    text, label, output = json.loads(line), "text", None
    for marker, name, run in (("<llm-code>", "omi1", cell), ("def", "tinygsm", function)):
        if output is None and marker in text:
            label = name
            try:
                output = run(text)
            except BaseException:
                pass
    print(json.dumps([label, output]))
"""

FUNCTION = "def simple_math_problem():\n    return 18"
CASES = [
    FUNCTION,
    FUNCTION + "\n",
    FUNCTION + "\n\nSo it is 18.",
    "Text before it.\n" + FUNCTION,
    "no line break " + FUNCTION,
    "```python\n" + FUNCTION + "\n```",
    "import math\n" + FUNCTION.replace("18", "math.floor(18.5)"),
    "def double(x):\n    return 2 * x\n" + FUNCTION.replace("18", "double(9)"),
    FUNCTION.replace("18", "double(9)") + "\ndef double(x):\n    return 2 * x",
    FUNCTION + "\n\nx = 3",
    FUNCTION + "\n" + FUNCTION.replace("18", "19"),
    FUNCTION.replace("18", "[1, 2.5]"),
    FUNCTION.replace("return", "print"),
    FUNCTION.replace("18", "undefined"),
    "By default, it is 18.",
    "It is \\boxed{18}.",
    "",
    "<llm-code>\n3 * 6\n</llm-code>\nso \\boxed{20}",
    "<llm-code>\nprint(18)\n</llm-code>\nso \\boxed{18}",
    "<llm-code>\nx = 18\n</llm-code>\nso \\boxed{18}",
    "<llm-code>\n1 / 0\n</llm-code>\nso \\boxed{18}, by definition",
    "<llm-code>\n4\n</llm-code> and <llm-code>\n18\n</llm-code>",
    "<llm-code>\n18",
    "<llm-code>\ndef f(x):\n    return x\nf(18)\n</llm-code>",
    "<llm-code>\ndef f(x):\n    return f(18)\n    f(18)\n</llm-code>",
]


def expected(texts: list[str]) -> list[list]:
    """Their label and output for each text, as their trainer would see it: after the prompt's line breaks."""
    lines = "\n".join(json.dumps("\n\n" + text.replace("</s>", "")) for text in texts)
    done = subprocess.run([sys.executable, "-c", REFERENCE], input=lines, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_cases_against_a_direct_rendering() -> None:
    found = [authors.read(text, sandbox()) for text in CASES]
    assert [[f.format, f.output] for f in found] == expected(CASES)


def test_real_rows_against_a_direct_rendering() -> None:
    """Rows whose programs the sandbox does not support are left out: `unsupported` is the documented difference."""
    texts = [row["code"] for row in rows("tinygsm/outputs_64.jsonl")]
    texts += [row["generated_solution"] for row in rows("openmathinstruct1/rows_100.jsonl")]
    texts += [row["generated_solution"] for row in rows("openmathinstruct2/rows_100.jsonl")]
    found = [authors.read(text, sandbox()) for text in texts]
    usable = [i for i, f in enumerate(found) if f.status != "unsupported" and "sympy" not in texts[i]]
    assert len(usable) > 220
    wanted = expected([texts[i] for i in usable])
    assert [[found[i].format, found[i].output] for i in usable] == wanted


@pytest.mark.parametrize(
    ("completion", "label", "correct"),
    [
        ("By definition Tom has 18 apples", "tinygsm", True),  # the word labels it, the whole text is searched
        ("He has 18.", "text", True),
        ("<llm-code>\nprint(3)\n</llm-code> so \\boxed{18}", "omi1", False),  # the answer is "None"
        ("<llm-code>\n1 / 0\n</llm-code> so \\boxed{18}", "omi1", True),
        ("def simple_math_problem():\n    return 18.0", "tinygsm", True),
        ("def simple_math_problem():\n    return 18</s>", "tinygsm", True),
        ("def simple_math_problem():\n    ''' 18 '''\n    return undefined", "tinygsm", True),  # of the question
    ],
)
def test_their_verdicts(completion: str, label: str, correct: bool) -> None:
    verdict = verify(completion, 18, scorer="authors")
    assert (verdict.format, verdict.correct) == (label, correct)
