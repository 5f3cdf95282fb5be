"""The released rules of the paper's code, to compare with its numbers; what they execute runs in the same sandbox.

What they do (rosieyzh/openrlhf-pretrain, `openrlhf/utils/math_verifier.py`), faults included:

- `<llm-code>` in the text: run the first block, then evaluate its last line; a box after it is not looked at. A last
  line that is a `print(...)` gives the text "None".
- that failed, or none there, and `def` in the text, be it in "default": put `def` before what follows the last
  `\\ndef`, run it with separate globals and locals (functions do not see each other), call `simple_math_problem()`.
- all failed: whatever math-verify finds in the whole text, while the label stays that of the code.

Two things differ. A program that needs sympy cannot run in our sandbox and falls through. Their reward saw the
question as well, so a number in the question could earn it; `verify` is given the completion only.
"""

from __future__ import annotations

from dataclasses import dataclass

from echochamber.verify.sandbox import OUTPUT, RunsPrograms

_FUNCTION = f'_names = {{}}\nexec(_code, {{}}, _names)\nstr(_names["simple_math_problem"]())[:{OUTPUT}]'
_CELL = f"_names = {{}}\nexec(_code, _names)\nstr(eval(_last, _names))[:{OUTPUT}]"


@dataclass(frozen=True, slots=True)
class Reading:
    """Their label (in our names), the program's output as text if there is one, and the program's status."""

    format: str
    output: str | None
    status: str


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def read(completion: str, sandbox: RunsPrograms) -> Reading:
    """Label and run a completion by the released rules; `output` None: its whole text is to be searched."""
    text = "\n\n" + completion.replace("</s>", "").removeprefix("\n\n")  # their prompts end before the line breaks
    label, status = "text", "ok"
    if "<llm-code>" in text:
        label = "omi1"
        code, closed, _ = text.partition("<llm-code>")[2].partition("</llm-code>")
        code = code.strip()
        if closed:
            ran = sandbox.run([_CELL], {"_code": code, "_last": code.rpartition("\n")[2].strip()})
            if ran.status == "ok":
                return Reading(label, _text(ran.value), "ok")
            status = ran.status
    if "def" in text:
        label = "tinygsm"
        ran = sandbox.run([_FUNCTION], {"_code": "def" + text.split("\ndef")[-1]})
        if ran.status == "ok":
            return Reading(label, _text(ran.value), "ok")
        status = ran.status
    return Reading(label, None, status)
