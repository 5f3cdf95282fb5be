"""The language of a completion by its letters: the script of nine in ten of them, else `mixed`; `other` has none.

Latin letters are `english` or `other-latin` by the commonest words of English, French, German, Spanish, Portuguese,
Italian and Dutch: whose are more; English where none is found, as in a program. No model is asked, so that a label is
the same on every machine; two languages of one script besides English are not told apart.
"""

from __future__ import annotations

import re
from collections import Counter

from echochamber.behaviours.partition import Partition

SCRIPTS = (
    ("japanese", ((0x3040, 0x30FF),)),
    ("chinese", ((0x3400, 0x4DBF), (0x4E00, 0x9FFF))),
    ("korean", ((0x1100, 0x11FF), (0xAC00, 0xD7AF))),
    ("cyrillic", ((0x0400, 0x052F),)),
    ("greek", ((0x0370, 0x03FF),)),
    ("arabic", ((0x0600, 0x06FF), (0x0750, 0x077F))),
    ("hebrew", ((0x0590, 0x05FF),)),
    ("devanagari", ((0x0900, 0x097F),)),
    ("latin", ((0x0041, 0x024F),)),
)
"""Script -> ranges of code points."""
MOST = 0.9
"""Share of the letters that are of one script."""
JAPANESE = 0.1
"""From this share of kana on, Chinese characters are Japanese ones."""
ENGLISH = re.compile(
    r"\b(?:the|of|and|to|is|in|that|we|he|she|it|has|have|are|for|with|so|how|many|each|was|by|this|from|they|if|then)\b",
    re.IGNORECASE,
)
OTHER_LATIN = re.compile(
    r"\b(?:le|la|les|des|du|et|est|une|dans|pour|que|qui|avec|nous|il|elle|der|das|und|ist|ein|eine|nicht|mit|von|wir|sie"
    r"|el|los|las|de|y|es|un|una|en|por|con|se|su|os|um|uma|não|para|che|di|non|sono|gli|per|het|een|niet|van|dat|zijn)\b",
    re.IGNORECASE,
)
_COMMAND = re.compile(r"\\[A-Za-z]+")


def _script(letter: str) -> str:
    code = ord(letter)
    return next((name for name, ranges in SCRIPTS if any(low <= code <= high for low, high in ranges)), "mixed")


def language(text: str) -> str:
    """One of the labels. LaTeX's commands are no words."""
    words = _COMMAND.sub(" ", text)
    letters = Counter(map(_script, filter(str.isalpha, words)))
    total = sum(letters.values())
    if not total:
        return "other"
    if letters["japanese"] >= JAPANESE * (letters["japanese"] + letters["chinese"]):
        letters["japanese"] += letters.pop("chinese", 0)
    script, count = letters.most_common(1)[0]
    if script == "mixed" or count < MOST * total:
        return "mixed"
    if script != "latin":
        return script
    return "english" if len(ENGLISH.findall(words)) >= len(OTHER_LATIN.findall(words)) else "other-latin"


PARTITIONS = (
    Partition(
        ("english", "other-latin", *(name for name, _ in SCRIPTS if name != "latin"), "mixed", "other"),
        language,
    ),
)
