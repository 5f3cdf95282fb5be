"""No damage pays: a wrong completion stays wrong whatever is removed, cut off, unbalanced or doubled in it.

Wrong completions are real rows and rendered solutions, judged against a number that stands elsewhere in them, so that
every fallback would be rewarded; and wrong solutions with the right answer planted where the rule does not look. Where
a damaged one is right nevertheless, that is by one of the rule's own words (`WORDS`, and docs/verifier.md), which is
checked by reading the text a second time, plainly.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from solved_problems import problems, text_of
from verify_data import rows

from echochamber.corpora import solutions
from echochamber.formats.classification import classify
from echochamber.verify import authors, verify, verify_batch
from echochamber.verify.workers import sandbox

WORDS = (
    "the last one counts",  # of several boxes, phrases, closed blocks or functions: without it, the one before
    "another format",  # a text without what marks one format is judged as the format that is left
    "a program is what it gives",  # another program, another value
    "an answer is what stands there",  # the characters of the answer itself were changed
)
PARTS = {
    "tag": r"</?llm-code(?:-output)?>",
    "brace": r"[{}]",
    "box": r"\\boxed\{[^{}]*\}",
    "opening of a box": r"\\boxed\{",
    "quotes": r"'''|\"\"\"",
    "docstring": r"(?s:'''.*?'''|\"\"\".*?\"\"\")",
    "return": r"(?m:^ *return\b[^\n]*\n?)",
    "definition": r"(?m:^def simple_math_problem[^\n]*\n)",
    "output": r"(?s:<llm-code-output>.*?</llm-code-output>)",
    "block": r"(?s:<llm-code>.*?</llm-code>)",
    "phrase": r"The answer is:?",
    "dollar": r"\$",
    "line": r"(?m:^[^\n]+\n?)",
}
HARMLESS = ("brace", "quotes", "docstring", "output", "dollar", "end token")
"""Parts that hold no answer: to damage them never pays, whatever the words."""


def damaged(text: str, draw: Random, each: int = 2) -> Iterator[tuple[str, str, bool]]:
    """(part, damaged text, finished): parts removed and doubled, `each` of every kind; cut off; no end token."""
    for part, pattern in PARTS.items():
        spans = [match.span() for match in re.finditer(pattern, text)]
        chosen = {*spans[-1:], *draw.sample(spans, min(each, len(spans)))}
        for begin, end in sorted(chosen):
            yield part, text[:begin] + text[end:], True
            yield part, text[:end] + text[begin:], True
    yield "end token", text, False
    for place in draw.sample(range(len(text)), min(each, len(text))):
        yield "end token", text[:place], False
        yield "cut", text[:place], True


# --- the second reading ----------------------------------------------------------------------------------------------


def stated(text: str, rule: str) -> tuple[str, list[str], list[str]]:
    """Format, the programs in it, and the answers that stand in the format's place, plainly read."""
    form = classify(text)
    blocks = re.findall(r"<llm-code>((?:(?!</?llm-code)[\s\S])*)</llm-code>", text)
    if form == "tinygsm":
        return form, [text[text.index("def simple_math_problem") :]], re.findall("def simple_math_problem", text)
    if form == "omi1" and rule == "executed":
        return form, blocks, blocks
    if form in ("omi1", "omi2"):
        after = text if form == "omi2" else re.split(r"</?llm-code(?:-output)?>", text)[-1]
        return form, [], re.findall(r"\\boxed\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}", after)
    return form, [], re.findall(r"The answer is([^\n]*)", text)


def word(rule: str, before: str, after: str) -> str | None:
    """The word by which the damaged text may be right where the whole one is wrong."""
    (form, programs, answers), (form_after, programs_after, answers_after) = stated(before, rule), stated(after, rule)
    if form != form_after:
        return "another format"
    if len(answers_after) < len(answers):
        return "the last one counts" if answers_after else None
    if programs != programs_after:
        return "a program is what it gives"
    return "an answer is what stands there" if answers != answers_after else None


# --- wrong completions -----------------------------------------------------------------------------------------------


def numbers(text: str) -> list[str]:
    return re.findall(r"(?<![\w.,])[1-9][0-9]{0,4}(?![\w.,]?[0-9])", text)


def real(draw: Random) -> Iterator[tuple[str, str]]:
    """(completion, a number that stands in it, to which it is a wrong answer)."""
    for path, field, count in (
        ("openmathinstruct1/rows_100.jsonl", "generated_solution", 25),
        ("openmathinstruct1/generations_50.jsonl", "generated_solution", 15),
        ("openmathinstruct2/rows_100.jsonl", "generated_solution", 15),
        ("tinygsm/outputs_64.jsonl", "code", 15),
        ("metamathqa/rows_3.jsonl", "response", 3),
    ):
        for row in draw.sample(rows(path), count):
            if found := numbers(row[field]):
                yield row[field], draw.choice(found)


def rendered(draw: Random) -> Iterator[tuple[str, str]]:
    """Wrong solutions of the embedded world, also with the right answer planted; right ones for another gold."""
    for i, (graph, problem) in enumerate(problems(12, seed=5)):
        gold = str(graph.answer)
        for style in ("tinygsm", "omi1", "omi2"):
            text = text_of(style, problem, solutions.solve_wrongly(graph, draw), i)
            yield text, gold
            yield planted(style, text, gold), gold
            right = text_of(style, problem, solutions.solve(graph), i)
            yield right, draw.choice(numbers(right))


def planted(style: str, text: str, gold: str) -> str:
    """A wrong solution that says the right answer wherever it does not count."""
    if style == "tinygsm":
        quotes = "'''" if "'''" in text else '"""'
        return text.replace(quotes, f"{quotes}\n    The answer is {gold}, \\boxed{{{gold}}}.", 1)
    if style == "omi1":
        output = f"<llm-code-output>\n{gold}\n</llm-code-output>"
        return f"\\boxed{{{gold}}}? " + re.sub(r"(?s)<llm-code-output>.*?</llm-code-output>", lambda _: output, text)
    return f"It is {gold}, so $x = {gold}$: {{{gold}}}. " + text


@pytest.mark.parametrize("rule", ["executed", "written"])
@pytest.mark.parametrize("source", [real, rendered])
def test_no_damage_pays_but_by_the_rules_own_words(rule, source, capsys) -> None:
    draw = Random(1)
    wrong = [(text, gold) for text, gold in source(draw) if not verify(text, gold, scorer=rule).correct]
    cases = [(text, gold, *damage) for text, gold in wrong for damage in damaged(text, draw)]
    verdicts = verify_batch(
        [case[3] for case in cases], [case[1] for case in cases], scorer=rule, finished=[case[4] for case in cases]
    )
    paid = Counter()
    for (text, gold, part, after, _), verdict in zip(cases, verdicts, strict=True):
        if verdict.correct:
            found = word(rule, text, after)
            assert found in WORDS, f"{part}: {gold} of\n{text}\nby\n{after}"
            assert part not in HARMLESS, f"{part} ({found}): {gold} of\n{text}\nby\n{after}"
            paid[found] += 1
    assert len(wrong) > 30
    assert len(cases) > 500
    with capsys.disabled():
        print(
            f"\n  {rule}, {source.__name__}: {len(wrong)} wrong, {len(cases)} damaged, right by {dict(paid) or 'none'}"
        )


FUNCTION = "def simple_math_problem():\n    '''\n    18 pens.\n    '''\n    result = {}\n    return result"
BLOCK = "<llm-code>\n{}\n</llm-code>\n<llm-code-output>\n18\n</llm-code-output>\n"


@pytest.mark.parametrize(
    ("rule", "named", "before", "after"),
    [
        ("executed", "the last one counts", BLOCK.format(18) + BLOCK.format(20), BLOCK.format(18)),
        (
            "executed",
            "the last one counts",
            BLOCK.format(18) + BLOCK.format(20),
            BLOCK.format(18) + BLOCK.format(20).replace("</llm-code>", ""),
        ),
        (
            "written",
            "the last one counts",
            BLOCK.format(20) + "\\boxed{18} \\boxed{20}",
            BLOCK.format(20) + "\\boxed{18}",
        ),
        ("written", "the last one counts", "\\boxed{18} or \\boxed{20}", "\\boxed{18} or 20}"),
        ("executed", "the last one counts", "The answer is 18.\nThe answer is 20.", "The answer is 18.\n20."),
        ("executed", "the last one counts", FUNCTION.format(18) + "\n" + FUNCTION.format(20), FUNCTION.format(18)),
        ("executed", "another format", FUNCTION.format(20) + "\n\\boxed{18}", "\\boxed{18}"),
        ("written", "another format", "The answer is 18. \\boxed{20}", "The answer is 18. "),
        ("executed", "a program is what it gives", FUNCTION.format("18\n    result += 2"), FUNCTION.format(18)),
        ("executed", "an answer is what stands there", "\\boxed{180}", "\\boxed{18}"),
    ],
)
def test_each_word_by_an_example(rule, named, before, after) -> None:
    assert (verify(before, 18, scorer=rule).correct, verify(after, 18, scorer=rule).correct) == (False, True)
    assert word(rule, before, after) == named
    assert not verify(after, 18, scorer=rule, finished=False).correct


BROKEN = [
    ("\\boxed{18} or \\boxed{20}", "\\boxed{18} or \\boxed{20"),
    ("\\boxed{18} or \\boxed{20}", "\\boxed{18} or \\boxed{2{0}"),
    (BLOCK.format(20) + "\\boxed{20}", BLOCK.format(20) + "\\boxed{20"),
    (BLOCK.format(20) + "\\boxed{18}", BLOCK.format(20).replace("<llm-code>", "llm-code>") + "\\boxed{18}"),
    (BLOCK.format(20) + "\\boxed{18}", BLOCK.format(20).replace("<llm-code>", "") + "\\boxed{18}"),
    (BLOCK.format(18) + BLOCK.format("20 = x") + "18", BLOCK.format(18) + BLOCK.format("20 = x") + "The answer is 18"),
    (BLOCK.format(18) + BLOCK.format("x = 20"), BLOCK.format(18) + BLOCK.format("")),
    (FUNCTION.format(20), FUNCTION.format(20).replace("    return result", "")),
    (FUNCTION.format(20), FUNCTION.format(20).replace("'''", "", 1)),
    ("The answer is 18.\nThe answer is 20.", "The answer is 18.\nThe answer is"),
]
"""Breaks that some rule of practice forgives, by going on to the next best number."""


@pytest.mark.parametrize(("before", "after"), BROKEN)
def test_what_is_broken_is_not_replaced(before, after) -> None:
    assert not verify(before, 18).correct
    assert not verify(after, 18).correct
    assert not verify(after, 18, scorer="written").correct or "llm-code" not in after


PIECES = [
    *(
        "<llm-code>",
        "</llm-code>",
        "<llm-code-output>",
        "</llm-code-output>",
        "\\boxed{",
        "{",
        "}",
        "18",
        "20",
        "18 + 2",
    ),
    *("def simple_math_problem():\n    return 18\n", "def simple_math_problem():\n    return 20\n", "'''", "\n", " "),
    *("The answer is 18", "The answer is 20", "\n18\n", "\n20\n", "x = 18\n", "print(18)\n", "18", "</s>"),
]


@given(st.lists(st.sampled_from(PIECES), max_size=12), st.sampled_from(["executed", "written"]))
@settings(max_examples=600, deadline=None)
def test_whatever_is_right_states_its_answer_in_its_place(pieces, rule) -> None:
    text = "".join(pieces)
    verdict = verify(text, 18, scorer=rule)
    assert not verify(text, 18, scorer=rule, finished=False).correct
    if verdict.correct:
        seen = text.partition("</s>")[0].strip()
        form, _, answers = stated(seen, rule)
        assert form == verdict.format
        assert answers
        if form != "tinygsm":
            assert "18" in answers[-1]


# --- the released rules ----------------------------------------------------------------------------------------------


def test_what_pays_by_the_released_rules() -> None:
    """Code that fails is followed by the next program, in the end by any number of the text; nothing is truncated."""
    for before, after in (
        (BLOCK.format(20), BLOCK.format(20).replace("</llm-code>\n", "", 1)),  # the text is searched: an output of 18
        (FUNCTION.format(20), FUNCTION.format("twenty")),  # the docstring's 18
        (BLOCK.format(20) + "by definition 18", BLOCK.format("1 / 0") + "by definition 18"),
    ):
        assert [verify(text, 18, scorer="authors").correct for text in (before, after)] == [False, True]
        assert not any(
            verify(text, 18, scorer=rule).correct for text in (before, after) for rule in ("executed", "written")
        )
    assert verify("He has 18", 18, scorer="authors", finished=False).correct


def test_damage_pays_by_the_released_rules_where_a_program_changed_or_the_text_is_searched() -> None:
    draw = Random(2)
    wrong = [case for case in rendered(draw) if not verify(*case, scorer="authors").correct][:30]
    paid = 0
    for text, gold in wrong:
        for part, after, finished in damaged(text, draw, each=1):
            if verify(after, gold, scorer="authors", finished=finished).correct:
                assert part != "end token" or after != text
                ran, before = authors.read(after, sandbox()).output, authors.read(text, sandbox()).output
                assert ran is None or ran != before
                paid += 1
    assert paid > 0
