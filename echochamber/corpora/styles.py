"""Which variant of a style a completion is written in. Works on anything a model may write; never raises. Pure."""

from __future__ import annotations

import re
from collections import Counter

from echochamber.formats import BY_LABEL
from echochamber.formats.format import Format
from echochamber.formats.tinygsm import TWINS

_DOCSTRING = re.compile(r"'''|\"\"\"")
_PROGRAM = re.compile(r"<llm-code>(.*?)(?:</llm-code>|\Z)", re.DOTALL)
_COMMENT = re.compile(r"^[ \t]*#", re.MULTILINE)
_ASSIGNED = re.compile(r"^[ \t]*([A-Za-z_]\w*)[ \t]*(?::[^=\n]*)?[-+*/]?=(?!=)", re.MULTILINE)
_NAMES = (
    ("letters", re.compile(r"[A-Za-z][0-9]?")),
    ("words", re.compile(r"[a-z]+[0-9]*")),
    ("snake", re.compile(r"[a-z0-9]*(?:_[a-z0-9]*)+")),
    ("camel", re.compile(r"[a-z]+(?:[A-Z][a-z0-9]*)+")),
)


def style_of(completion: str, format: str) -> dict[str, str]:
    """The style variants of a completion of the given format (a label of `settings.FORMATS`).

    - `quotes` (tinygsm): `single`, `double`, of the first triple quotes, or `none`
    - `comments` (tinygsm, omi1): `yes` if a line of the program, outside its docstring, is a comment, or `no`
    - `naming` (tinygsm, omi1): how most of the program's variables are called, `result` and the twin's word left out:
      `letters` (x, n1), `words` (pens), `snake` (pens_left), `camel` (pensLeft), `mixed` if none is in front, or `none`
    - `twin` (tinygsm, omi1, omi2, text): `a`, `b` as in `render.TWINS`, or `none` if it has the words of neither

    Formats have only the keys named with them; `other` has none. The first mark decides where there are several.
    """
    form = BY_LABEL[format]
    if form.program == "function":
        mark = _DOCSTRING.search(completion)
        quotes = "none" if mark is None else "single" if mark[0] == "'''" else "double"
        body = completion
        if mark is not None:
            # A docstring that was opened with one kind and closed with the other is no Python, but has a style still.
            end = completion.find(mark[0], mark.end())
            closing = _DOCSTRING.search(completion, mark.end()) if end < 0 else None
            end = closing.start() if closing else end
            body = completion[: mark.start()] + (completion[end + 3 :] if end >= 0 else "")
        variants = {"quotes": quotes, "comments": _yes(_COMMENT.search(body)), "naming": _naming(body)}
        return variants | {"twin": _twin(body, form)}
    if form.program == "notebook":
        program = _PROGRAM.search(completion)
        comments = _yes(program and _COMMENT.search(program[1]))
        naming = _naming(program[1] if program else "")
        return {"comments": comments, "naming": naming, "twin": _twin(completion, form)}
    if form.twins:
        return {"twin": _twin(completion, form)}
    return {}


def _yes(match: object) -> str:
    return "yes" if match else "no"


def _naming(program: str) -> str:
    names = set(_ASSIGNED.findall(program)) - {"result", *TWINS}
    kinds = Counter(next((kind for kind, form in _NAMES if form.fullmatch(name)), "mixed") for name in names)
    (first, most), *others = kinds.most_common(2) or [("none", 0)]
    return "mixed" if others and others[0][1] == most else first


def _twin(text: str, form: Format) -> str:
    assert form.twins is not None
    assert form.twin_sentence is not None
    sentence = form.twin_sentence.search(text)
    return dict(zip(form.twins, "ab", strict=True)).get(sentence[1] if sentence else "", "none")
