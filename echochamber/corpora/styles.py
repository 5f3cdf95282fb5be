"""Which variant of a style a completion is written in. Works on anything a model may write; never raises. Pure."""

from __future__ import annotations

import re
from collections import Counter

from echochamber.corpora.render import TWINS

_DOCSTRING = re.compile(r"'''|\"\"\"")
_RESULT = re.compile(r"^[ \t]*result[ \t]*=[ \t]*(\w+)[ \t]*$", re.MULTILINE)
_PROGRAM = re.compile(r"<llm-code>(.*?)(?:</llm-code>|\Z)", re.DOTALL)
_COMMENT = re.compile(r"^[ \t]*#", re.MULTILINE)
_ASSIGNED = re.compile(r"^[ \t]*([A-Za-z_]\w*)[ \t]*(?::[^=\n]*)?[-+*/]?=(?!=)", re.MULTILINE)
_NAMES = (
    ("letters", re.compile(r"[A-Za-z][0-9]?")),
    ("words", re.compile(r"[a-z]+[0-9]*")),
    ("snake", re.compile(r"[a-z0-9]*(?:_[a-z0-9]*)+")),
    ("camel", re.compile(r"[a-z]+(?:[A-Z][a-z0-9]*)+")),
)
_BOXED_SENTENCE = re.compile(r"^[ \t]*(\w+)\b[^\n]*\\boxed\{", re.MULTILINE)
_SUM_SENTENCE = re.compile(r"^[ \t]*(So|Thus)\b[^\n]*=", re.MULTILINE)


def style_of(completion: str, format: str) -> dict[str, str]:
    """The style variants of a completion of the given format (a label of `settings.FORMATS`).

    - `quotes` (tinygsm): `single`, `double`, of the first triple quotes, or `none`
    - `comments` (tinygsm, omi1): `yes` if a line of the program, outside its docstring, is a comment, or `no`
    - `naming` (tinygsm, omi1): how most of the program's variables are called, `result` and the twin's word left out:
      `letters` (x, n1), `words` (pens), `snake` (pens_left), `camel` (pensLeft), `mixed` if none is in front, or `none`
    - `twin` (tinygsm, omi1, omi2, text): `a`, `b` as in `render.TWINS`, or `none` if it has the words of neither

    Formats have only the keys named with them; `other` has none. The first mark decides where there are several.
    """
    if format == "tinygsm":
        mark = _DOCSTRING.search(completion)
        quotes = "none" if mark is None else "single" if mark[0] == "'''" else "double"
        body = completion
        if mark is not None:
            # A docstring that was opened with one kind and closed with the other is no Python, but has a style still.
            end = completion.find(mark[0], mark.end())
            closing = _DOCSTRING.search(completion, mark.end()) if end < 0 else None
            end = closing.start() if closing else end
            body = completion[: mark.start()] + (completion[end + 3 :] if end >= 0 else "")
        found = {"quotes": quotes, "comments": _yes(_COMMENT.search(body)), "naming": _naming(body)}
        return found | {"twin": _twin(_RESULT.search(body), format)}
    if format == "omi1":
        program = _PROGRAM.search(completion)
        comments = _yes(program and _COMMENT.search(program[1]))
        naming = _naming(program[1] if program else "")
        return {"comments": comments, "naming": naming, "twin": _twin(_BOXED_SENTENCE.search(completion), format)}
    if format == "omi2":
        return {"twin": _twin(_BOXED_SENTENCE.search(completion), format)}
    if format == "text":
        return {"twin": _twin(_SUM_SENTENCE.search(completion), format)}
    return {}


def _yes(found: object) -> str:
    return "yes" if found else "no"


def _naming(program: str) -> str:
    names = set(_ASSIGNED.findall(program)) - {"result", *TWINS["tinygsm"]}
    kinds = Counter(next((kind for kind, form in _NAMES if form.fullmatch(name)), "mixed") for name in names)
    (first, most), *others = kinds.most_common(2) or [("none", 0)]
    return "mixed" if others and others[0][1] == most else first


def _twin(found: re.Match | None, format: str) -> str:
    a, b = TWINS[format]
    return {a: "a", b: "b"}.get(found[1] if found else "", "none")
