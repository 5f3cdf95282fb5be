"""What a page of the report is made of: templates, one style sheet, scripts; and how data go into it safely.

A page stands alone: style sheet and scripts are in it, allowed by their hashes in a Content-Security-Policy that allows
nothing else, so that no text of a model can become a script, a style or a request, whatever it holds.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from echochamber.printable import printable_lines
from echochamber.report.numbers import big, effect, number, percent

LONGEST = 3000
"""Characters of a text of a model, or of a question, that a page shows; what is cut is said."""
HERE = Path(__file__).parent
TEMPLATES = (
    *("page.html.j2", "report.html.j2", "macros.html.j2", "first.html.j2", "study.html.j2", "world.html.j2"),
    *("tables.html.j2", "process.html.j2", "claims.html.j2", "browser.html.j2", "data.html.j2"),
    *("completions.html.j2", "compare.html.j2"),
)
"""`report.html.j2`, `completions.html.j2` and `compare.html.j2` are pages, the others parts of them."""
STYLES = ("uPlot.min.css", "report.css")
SCRIPTS = ("uPlot.iife.min.js", "page.js", "parts.js", "tables.js", "plots.js", "browser.js", "verdicts.js")
"""In this order in a page, as one script. uPlot draws the plots (MIT, uPlot.LICENSE; docs/report.md says why it)."""


def environment() -> Environment:
    """The templates, with every value escaped that is not markup of the templates' own."""
    templates = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {"shown": clipped, "number": number, "percent": percent, "big": big, "effect": effect}
    templates.globals |= {"style": Markup(style()), "script": Markup(script()), "policy": policy()}
    return templates


def cut(text: str, longest: int = LONGEST) -> tuple[str, int]:
    """The first characters of a text, every one of them printable, and how many it has in all."""
    return printable_lines(text[:longest]), len(text)


def clipped(value: Any) -> Any:
    """A text as a page may show it, with a note where it is cut; anything else as it is."""
    if not isinstance(value, str):
        return value
    text, total = cut(value)
    return text if total <= LONGEST else f"{text} … (cut: {total:,} characters in all)"


@cache
def style() -> str:
    """All style sheets as one."""
    return _joined(STYLES, "</style")


@cache
def script() -> str:
    """All scripts as one; uPlot's name is a global, the rest is closed in itself."""
    return _joined(SCRIPTS, "</script")


def _joined(names: tuple[str, ...], end: str) -> str:
    text = "\n".join((HERE / name).read_text(encoding="utf-8").strip() for name in names)
    if end in text.lower() or "<!--" in text:
        raise ValueError(f"{HERE}: found {end} in a file of the page, allowed: none, as it would end its own tag")
    return text


@cache
def policy() -> str:
    """The Content-Security-Policy of a page: its own script and style by their hashes, pictures inside it."""
    sources = {
        "default-src": "'none'",
        "script-src": _hash(script()),
        "style-src": _hash(style()),
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in sources.items())


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def in_script(value: Any) -> Markup:
    """JSON that can stand in a `<script type="application/json">`: no `<` in it can end or open a tag or a comment."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


def packed(value: Any) -> str:
    """The same JSON compressed, in base64: for what is read only when somebody asks for it."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode("ascii")
