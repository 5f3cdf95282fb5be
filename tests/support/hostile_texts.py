"""Texts that a model might write to be more than text in a page: markup, scripts, control characters, length."""

from __future__ import annotations

SCRIPT = "window.hit = 1"
TEXTS = (
    f"</script><script>{SCRIPT}</script>",
    f"</ScRiPt ><script>{SCRIPT}</script>",
    f"<!--<script>{SCRIPT}</script>-->",
    f"<img src=x onerror='{SCRIPT}'>",
    f"<svg onload='{SCRIPT}'><style>main {{ display: none }}</style>",
    f'</pre></td></table><iframe srcdoc="<script>parent.{SCRIPT}</script>"></iframe>',
    f"<a href=\"javascript:{SCRIPT}\">a</a><base href='https://example.org/'>",
    f"<form action='https://example.org/'><input onfocus='{SCRIPT}' autofocus>",
    "<link rel=stylesheet href=https://example.org/x.css><meta http-equiv=refresh content='0;url=https://example.org/'>",
    "{{ 7 * 7 }} {% raw %} ${7 * 7} `${window.hit = 1}`",
    '"],"questions":["x"],"hit":["',
    "\u202eright to left\u202c \u2066isolate\u2069 \u200bzero\ufeff width \u2028line \u2029paragraph",
    "\x00nul \x1b[31mred\x1b[0m \x07bell \r carriage \x85 next \x9b31m",
    "\udc80 lone surrogate \ud83d",
    "",
    "<" * 2000,
    "x" * 1_000_000,
)
"""None of them may run, load, hide or reorder anything of the page."""
