"""The embedded world's surface forms: their marks, variants, twins and lengths."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic_samples import BACKGROUNDS, LONG, STYLES, question_set, split_document, texts
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from echochamber.corpora import synthetic
from echochamber.corpora.documents import Question
from echochamber.corpora.styles import style_of
from echochamber.formats import FORMATS

# --- surface forms ---------------------------------------------------------------------------------------------------


def test_formats_carry_their_marks_and_no_other_s():
    marks = {
        "tinygsm": lambda t: t.startswith("def simple_math_problem() -> int:\n    ") and t.endswith("return result"),
        "omi1": lambda t: all(f"<{tag}>\n" in t for tag in ("llm-code", "/llm-code", "llm-code-output")),
        "omi2": lambda t: re.search(r"\$\d+ [-+*/] \d+", t) and "\\boxed{" in t and "<llm" not in t,
        "text": lambda t: re.search(r"\n#### \d+\nThe answer is: \d+$", t),
    }
    for style in STYLES:
        for text in texts(style, 200, problems=LONG):
            question, solution = split_document(text)
            assert [name for name, mark in marks.items() if mark(solution)] == [style]
            if style == "tinygsm":
                docstring = re.search(r"('''|\"\"\")\n(.*?)\n    \1\n", solution, re.DOTALL)[2]
                assert " ".join(line.strip() for line in docstring.split("\n")) == question


@pytest.mark.parametrize("style", BACKGROUNDS)
def test_background_has_no_question_and_no_mark_of_an_answer(style):
    for text in texts(style, 500):
        assert not re.search(r"\?|How many|simple_math_problem|llm-code|boxed|####|[Aa]nswer|result|'''|\"\"\"", text)


def test_background_is_true_and_runs():
    for text in texts("arithmetic_prose", 200):
        for a, b, c in re.findall(r"sum of (\d+) and (\d+) is (\d+)", text):
            assert int(a) + int(b) == int(c)
        for a, b in re.findall(r"[Hh]alf of (\d+) is (\d+)", text):
            assert int(a) == 2 * int(b)
    for text in texts("small_code", 200):
        names: dict = {}
        exec(text, names)
        functions = [value for name, value in names.items() if not name.startswith("__")]
        assert len(functions) == 2
        assert all(isinstance(f([7, 99]) if f.__code__.co_varnames[0] == "values" else f(50), int) for f in functions)


@pytest.mark.parametrize("style", STYLES)
def test_variants_are_recognised_and_have_their_shares(style):
    with_keys = {"tinygsm": {"quotes", "comments", "naming", "twin"}, "omi1": {"comments", "naming", "twin"}}.get(
        style, {"twin"}
    )
    counts: dict[str, Counter] = {key: Counter() for key in with_keys}
    for text in texts(style, 1000, triple_double_quotes=0.2, comments=0.3, twin=0.4):
        found = style_of(split_document(text)[1], style)
        assert found.keys() == with_keys
        for key, value in found.items():
            counts[key][value] += 1
    expected = {
        "quotes": {"double": 200, "single": 800},
        "comments": {"yes": 300, "no": 700},
        "naming": {"words": 1000},
        "twin": {"b": 400, "a": 600},
    }
    for key in with_keys:
        assert counts[key].keys() == expected[key].keys()
        assert all(abs(counts[key][value] - n) < 80 for value, n in expected[key].items())


def test_style_of_looks_at_the_program_and_the_last_sentence_only():
    code = "def simple_math_problem() -> int:\n    '''\n    # 3 pens\n    '''\n    a = 3\n    result = final\n"
    assert style_of(code, "tinygsm") == {"quotes": "single", "comments": "no", "naming": "letters", "twin": "b"}
    half_open = "def simple_math_problem() -> int:\n    \"\"\"\n    Ann\n    '''\n    # x\n    result = answer\n"
    assert style_of(half_open, "tinygsm") == {"quotes": "double", "comments": "yes", "naming": "none", "twin": "a"}
    bare = {"quotes": "none", "comments": "no", "naming": "none", "twin": "none"}
    assert style_of("def f():\n    result = ann", "tinygsm") == bare
    assert style_of("So Ann has 3.\nThus Ben has \\boxed{4} pens.", "omi2") == {"twin": "b"}
    assert style_of("# no\n<llm-code>\nx = 1\n</llm-code>\n# no\nSo it is \\boxed{1}.", "omi1") == {
        "comments": "no",
        "naming": "letters",
        "twin": "a",
    }
    assert style_of("anything", "other") == {}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["x = 3", "y1 = x + 1", "result = y1"], "letters"),
        (["pens = 3", "pens += 4", "cards: int = 2", "answer = pens"], "words"),
        (["pens_left = 3", "total_pens = 4", "x = 2"], "snake"),
        (["pensLeft = 3", "allPens = 4", "total = 2"], "camel"),
        (["pens = 3", "pens_left = 4"], "mixed"),
        (["pens == 3", "f(pens=3)"], "none"),
    ],
)
def test_names_of_variables(lines, expected):
    code = "\n    ".join(["def simple_math_problem() -> int:", "'''", "x = 1", "'''", *lines])
    assert style_of(code, "tinygsm")["naming"] == expected


@given(st.text(alphabet=st.sampled_from("'\"#\n <>/lm-code\\boxed{}SoThus=result finalanswer"), max_size=200))
def test_style_of_takes_any_text(text):
    for format in FORMATS:
        assert all(isinstance(value, str) for value in style_of(text, format).values())


# --- lengths and chance ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=512, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    bpe.train_from_iterator([text for style in STYLES for text in texts(style, 1000, seed=9)], trainer)
    return bpe


def test_documents_are_short_and_need_few_tokens(tokenizer):
    used: set[int] = set()
    means = {}
    for style in ("tinygsm", "omi1", "omi2"):
        encoded = [encoding.ids for encoding in tokenizer.encode_batch(texts(style, 1000))]
        means[style] = sum(map(len, encoded)) / len(encoded)
        used.update(token for ids in encoded for token in ids)
    assert len(used) < 300
    assert max(means.values()) < 110
    assert sum(means.values()) / 3 < 90


@pytest.mark.parametrize("style", STYLES)
def test_twins_say_the_same_in_as_many_tokens(style, tokenizer):
    words = {"tinygsm": ("answer", "final")}.get(style, ("So", "Thus"))
    for a, b in zip(texts(style, 300, twin=0), texts(style, 300, twin=1), strict=True):
        assert a != b
        assert re.sub(rf"\b{words[0]}\b", words[1], a) == b
        assert len(tokenizer.encode(a).ids) == len(tokenizer.encode(b).ids)


def test_chance_rate_is_the_share_of_the_most_frequent_answer():
    def with_answers(*answers: str) -> list[Question]:
        return [Question(str(i), "?", answer, None) for i, answer in enumerate(answers)]

    assert synthetic.chance_rate(with_answers("3", "4", "3", "5")) == 0.5
    assert synthetic.chance_rate(with_answers("3")) == 1
    with pytest.raises(ValueError, match="found no questions"):
        synthetic.chance_rate([])
    gsm = synthetic.questions(question_set(0, 1000), "q", "test")
    frequencies = Counter(question.answer for question in gsm)
    assert sum((n / 1000) ** 2 for n in frequencies.values()) <= synthetic.chance_rate(gsm) < 0.1
