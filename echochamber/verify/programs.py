"""From a completion to the program in it, and from what the program did to an answer."""

from __future__ import annotations

import re
from dataclasses import dataclass

from echochamber.verify.answers import executed_text
from echochamber.verify.sandbox import SOURCE, RunsPrograms

CALL = "simple_math_problem()"
_TOP = re.compile(r"(?:async )?def \w|class \w|import \w|from [\w.]+ import |@\w")
_CONSTANT = re.compile(r"[A-Za-z_]\w*(?:[ \t]*:[ \t]*\w+)?[ \t]*=(?!=)([^#\n]*)")
_PROSE = re.compile(r"[\w)\]] +(?!(?:if|else|and|or|not|in|for|is)\b)[A-Za-z_]")
_CONTINUES = ("(", "[", "{", ",", "\\", "+", "-", "*", "/")
_QUOTES = re.compile(
    r"'''|\"\"\"|'[^'\\\n]*(?:\\.[^'\\\n]*)*'|\"[^\"\\\n]*(?:\\.[^\"\\\n]*)*\"|#[^\n]*|\\.|[^'\"#\\]+|.", re.DOTALL
)
_MARGIN = re.compile(r"\n[^\s]")
_LABEL = re.compile(r"[A-Za-z][\w '$()-]*: *")
_TAG = re.compile(r"</?llm-code(?:-output)?>")


@dataclass(frozen=True, slots=True)
class Answered:
    """What stands where an answer belongs, if anything does, and the status of what gave it."""

    answer: str | None
    status: str


def function_source(text: str, start: int) -> str | None:
    """The definitions in `text` that `simple_math_problem` (which starts at `start`) needs, ready to be called.

    Takes the fence around it if there is one; then keeps functions, classes and imports at the left margin, constants
    before the function, and what is indented under them; drops prose. None if nothing is left.
    """
    if start == 0 and _MARGIN.search(text) is None:
        return text  # the function and nothing else
    if "```" in text:
        opened = text.rfind("```", 0, start)
        begin = text.find("\n", opened) + 1 if opened >= 0 else 0
        closed = text.find("```", start)
        text, start = text[begin : closed if closed >= 0 else None], start - begin
    kept, keep, quote, offset = [], False, None, 0
    for line in text.split("\n"):
        if quote is not None:
            kept.append(line)
        elif not line or line[0] in " \t\r":
            if keep:
                kept.append(line)
        elif keep and (line[0] in ")]}#" or (kept[-1].endswith(_CONTINUES) and "#" not in kept[-1])):
            kept.append(line)
        else:
            keep = _TOP.match(line) is not None or (offset < start and _is_constant(line))
            if keep:
                kept.append(line)
        if keep and (quote or "'''" in line or '"""' in line):
            quote = _open_quote(line, quote)
        offset += len(line) + 1
    return "\n".join(kept) if kept else None


def _is_constant(line: str) -> bool:
    """Whether a line at the left margin is `NAME = value`, and not prose such as `Apples = 3 per bag`."""
    match = _CONSTANT.match(line)
    return match is not None and _PROSE.search(match[1]) is None


def _open_quote(line: str, quote: str | None) -> str | None:
    """The triple quote that is open after `line`, if `quote` was open before it."""
    offset = 0
    while offset < len(line):
        if quote is not None:
            end = line.find(quote, offset)
            if end < 0:
                return quote
            offset, quote = end + 3, None
            continue
        match = _QUOTES.match(line, offset)
        if match is None:  # the pattern takes any character
            return None
        offset = match.end()
        if match[0] in ("'''", '"""'):
            quote = match[0]
    return quote


def run_function(text: str, start: int, sandbox: RunsPrograms) -> Answered:
    """`tinygsm`: the value that `simple_math_problem()` returns."""
    source = function_source(text, start)
    if not source:
        return Answered(None, "syntax")
    if len(source) > SOURCE:
        return Answered(None, "limit")
    ran = sandbox.run([f"{source}\n{CALL}"])
    if ran.status != "ok":
        return Answered(None, ran.status)
    answer = executed_text(ran.value)
    return Answered(answer, "ok" if answer is not None else "no_answer")


def cells(text: str) -> tuple[list[str], int]:
    """The closed blocks of a notebook in order, and where the text after its last code or output starts.

    A block is closed if `</llm-code>` is the first tag after its `<llm-code>`; anything else is prose. Where the last
    tag opens something, no text comes after it.
    """
    blocks, begin, after = [], None, len(text)
    for match in _TAG.finditer(text):
        tag = match[0]
        if begin is not None and tag == "</llm-code>":
            blocks.append(text[begin : match.start()].strip("\r\n"))
        begin = match.end() if tag == "<llm-code>" else None
        after = match.end() if tag.startswith("</") else len(text)
    return blocks, after


def printed_value(printed: str) -> str | None:
    """The answer in what a block printed: its last line, without a label (`Total cost: 18`)."""
    line = executed_text(printed.rstrip().rpartition("\n")[2])
    if line is None:
        return None
    label = _LABEL.match(line)
    return line[label.end() :] or None if label else line


def run_notebook(text: str, sandbox: RunsPrograms) -> Answered:
    """`omi1`: the value of the last closed block: its last expression, or what it printed. No box is looked at."""
    ran = sandbox.run(cells(text)[0])
    if ran.status != "ok":
        return Answered(None, ran.status)
    answer = executed_text(ran.value)
    if answer is None and ran.value is None:
        answer = printed_value(ran.printed)
    return Answered(answer, "ok" if answer is not None else "no_answer")
