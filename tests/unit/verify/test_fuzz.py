"""Nothing that a model can write makes the verifier raise: random bytes, and real completions mutated."""

from __future__ import annotations

import random

from echochamber.formats import FORMATS, RULES
from echochamber.verify import verify_batch
from echochamber.verify.verdict import FLAGS, STATUSES

SEEDS = [
    "def simple_math_problem() -> int:\n    '''\n    Tom's 3 bags of 6.\n    '''\n    bags = 3\n    return bags * 6\n",
    'def simple_math_problem():\n    """Ann has 20 - 2."""\n    # left\n    left = 20 - 2\n    return left',
    "Let's compute.\n<llm-code>\nx = 3\nx * 6\n</llm-code>\n<llm-code-output>\n18\n</llm-code-output>\nSo \\boxed{18}.",
    "<llm-code>\nprint(3 * 6)\n</llm-code>\n<llm-code-output>\n18\n</llm-code-output>",
    "Each bag has $6$, so $3 \\cdot 6 = 18$: \\[ \\boxed{18} \\]",
    "Half of it is \\boxed{\\frac{36}{2}} dollars, or \\boxed{18}.",
    "Tom has 3 * 6 = 18.\n#### 18\nThe answer is: 18",
]
TOKENS = [
    *("def simple_math_problem():", "<llm-code>", "</llm-code>", "<llm-code-output>", "</llm-code-output>", "\\boxed{"),
    *(
        "The answer is",
        "return",
        "while",
        "import math",
        "'''",
        '"""',
        "```",
        "</s>",
        "}",
        "{",
        "\\",
        "\n",
        "\n    ",
        " ",
    ),
    *(
        "18",
        "0",
        "-",
        "%",
        "\\frac",
        "^",
        "_",
        "$",
        "\\text{",
        "1e9",
        ",",
        ".",
        "\x00",
        "\ud800",
        "\U0001f600",
        "é",
        "\r",
    ),
]


def mutated(draw: random.Random) -> str:
    """A seed with one to six edits: deleted, doubled, swapped or inserted spans, tokens and characters."""
    text = draw.choice(SEEDS)
    for _ in range(draw.randint(1, 6)):
        a, b = sorted((draw.randint(0, len(text)), draw.randint(0, len(text))))
        edit = draw.randrange(6)
        if edit == 0:
            text = text[:a] + text[min(b, a + 12) :]
        elif edit == 1:
            text = text[:b] + text[a:b][:40] + text[b:]
        elif edit == 2:
            text = text[:a] + draw.choice(TOKENS) + text[a:]
        elif edit == 3:
            text = text[:a] + chr(draw.choice([draw.randint(32, 126), draw.randint(0, 0x10FFFF)])) + text[a + 1 :]
        elif edit == 4:
            text = text[a:] + text[:a]
        else:
            text = text[:a] + draw.choice(SEEDS)[:b]
    return text


def cases(draw: random.Random, count: int) -> list[str]:
    made = []
    for _ in range(count):
        kind = draw.random()
        if kind < 0.2:
            made.append(draw.randbytes(draw.randint(0, 200)).decode("latin-1"))
        elif kind < 0.3:
            made.append(draw.randbytes(draw.randint(0, 200)).decode("utf-8", "surrogateescape"))
        elif kind < 0.5:
            made.append("".join(draw.choices(TOKENS, k=draw.randint(0, 25))))
        else:
            made.append(mutated(draw))
    return made


def check(texts: list[str], scorer: str, draw: random.Random) -> None:
    golds = [draw.choice([18, "18", "\\frac{36}{2}", "#### 1,018", 7]) for _ in texts]
    for verdict in verify_batch(texts, golds, scorer=scorer, finished=[draw.random() < 0.9 for _ in texts]):
        assert verdict.format in FORMATS
        assert verdict.status in STATUSES
        assert verdict.flags <= set(FLAGS)
        assert verdict.answer is not None or not verdict.correct
        assert verdict.answer is None or isinstance(verdict.answer, str)


def test_ten_thousand_cases_never_raise() -> None:
    draw = random.Random(1)
    for _ in range(10):
        check(cases(draw, 1000), "executed", draw)
    check(cases(draw, 2000), "written", draw)


def test_the_released_rules_never_raise_either() -> None:
    draw = random.Random(2)
    assert RULES == ("executed", "written", "authors")
    check(cases(draw, 800), "authors", draw)
