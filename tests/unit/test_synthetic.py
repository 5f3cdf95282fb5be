"""The embedded world: what its questions ask is what its solutions answer, and its splits never meet."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from synthetic_reader import read
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from echochamber.corpora import synthetic
from echochamber.corpora.documents import Question
from echochamber.corpora.problems import Graph, Node, canonical_key, graphs, split_of, to_dict
from echochamber.corpora.solutions import SYSTEMATIC, solve, solve_wrongly
from echochamber.corpora.styles import style_of
from echochamber.corpora.wording import word
from echochamber.settings import FORMATS, OPERATIONS, Problems, SyntheticQuestions, SyntheticSource
from echochamber.settings.world import MAX_STEPS

STYLES = ("tinygsm", "omi1", "omi2", "text")
BACKGROUNDS = ("arithmetic_prose", "small_code")
LONG = Problems(steps=(1, 6), numbers=(2, 60))
THINGS = r"\b(pen|card|coin|book|toy|cup|bead|nut|key|stamp)s?\b"
TREES = Problems(family="math", steps=(1, 6), numbers=(2, 60))


def source(style: str, documents: int = 300, **changes) -> SyntheticSource:
    return SyntheticSource(kind="synthetic", style=style, documents=documents, **changes)


def texts(style: str, documents: int = 300, **changes) -> list[str]:
    return [document.text for document in synthetic.documents(source(style, documents, **changes), style)]


def question_set(train: int, test: int, **changes) -> SyntheticQuestions:
    return SyntheticQuestions(kind="synthetic", train=train, test=test, **changes)


def split_document(text: str) -> tuple[str, str]:
    question, _, solution = text.partition("\n\n")
    return question, solution


def answer_of(style: str, solution: str) -> int:
    """The solution's own answer, found as each format's readers find it; checks what else it says about it."""
    if style == "tinygsm":
        names: dict = {}
        exec(solution, names)
        return names["simple_math_problem"]()
    if style == "omi1":
        program = re.search(r"<llm-code>\n(.*)\n</llm-code>\n", solution, re.DOTALL)[1]
        *statements, last = program.split("\n")
        names = {}
        exec("\n".join(statements), names)
        output = int(re.search(r"<llm-code-output>\n(-?\d+)\n</llm-code-output>\n", solution)[1])
        assert eval(last, names) == output
        assert int(re.search(r"\\boxed\{(-?\d+)\}", solution)[1]) == output
        return output
    if style == "omi2":
        for equation in re.findall(r"\$([^$]*)\$", solution):
            left, right = equation.split(" = ")
            assert eval(left.replace("/", "//")) == int(right)
        return int(re.search(r"\\boxed\{(-?\d+)\}", solution)[1])
    for left, right in re.findall(r"((?:-?\d+ [-+*/] )+-?\d+) = (-?\d+)", solution):
        assert eval(left.replace("/", "//")) == int(right)
    answer = re.search(r"\nThe answer is: (-?\d+)$", solution)[1]
    assert f"\n#### {answer}\n" in solution
    return int(answer)


# --- questions -------------------------------------------------------------------------------------------------------

ONE_STEP = {
    "more": ("Ann has 12 pens. Ben has 3 more pens than Ann. How many pens does Ben have?", 15),
    "fewer": ("Ann has 12 pens. Ben has 3 fewer. How many does Ben have?", 9),
    "times": ("Ann has 12 pens. Ben has 3 times as many as Ann. How many pens does Ben have?", 36),
    "fraction": ("Ann has 12 pens. Ben has a third as many pens as Ann. How many does Ben have?", 4),
    "buy": ("Ann has 12 pens. Ann buys 3 pens. How many pens does Ann have now?", 15),
    "give": ("Ann has 12 pens. Ann gives away 3 pens. How many does Ann have now?", 9),
    "share": (
        "Ann has 12 pens. Ann splits her pens into 3 equal parts and keeps one part. How many pens does Ann have now?",
        4,
    ),
    "total": ("Ann has 12 pens. Ben has 3 pens. How many pens do Ann and Ben have together?", 15),
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_one_step_questions_are_those_worked_by_hand(operation):
    expected, answer = ONE_STEP[operation]
    owners = {"buy": (0,), "give": (0,), "share": (0,), "total": (0, 1)}.get(operation, (1,))
    nodes = [Node("given", (), 12, 12, (0,))]
    if operation == "total":
        nodes += [Node("given", (), 3, 3, (1,)), Node("total", (0, 1), None, 15, (0, 1))]
    else:
        nodes.append(Node(operation, (0,), 3, answer, owners))
    graph = Graph("gsm", tuple(nodes), canonical_key(tuple(nodes)))
    assert graph.answer == answer == solve(graph)[-1].value
    questions = {word(graph, Random(seed)).question for seed in range(4000)}
    assert expected in questions
    assert {read(question).answer for question in questions} == {answer}


@pytest.mark.parametrize("problems", [Problems(), LONG, TREES, Problems(numbers=(1, 9), steps=(1, 4))])
def test_a_reader_of_the_text_alone_solves_every_question(problems):
    rng = Random(0)
    stream = graphs(problems, rng)
    for _ in range(1500):
        graph = next(stream)
        question = word(graph, rng).question
        answer, operations = read(question)
        assert answer == graph.answer, question
        assert Counter(operations) == Counter(n.operation for n in graph.nodes if n.operation != "given"), question


def test_the_text_of_a_question_determines_its_answer():
    problems = Problems(steps=(1, 2), numbers=(2, 9))  # few numbers, so that texts do repeat
    rng = Random(1)
    stream = graphs(problems, rng)
    answers: dict[str, int] = {}
    for _ in range(50_000):
        graph = next(stream)
        assert answers.setdefault(word(graph, rng).question, graph.answer) == graph.answer
    assert len(answers) < 48_000, "no repeated text: the test shows nothing"


@st.composite
def distributions(draw) -> Problems:
    operations = draw(st.lists(st.sampled_from(OPERATIONS), min_size=1, unique=True))
    family = draw(st.sampled_from(("gsm", "math")))
    if family == "math" and "total" not in operations:
        operations.append("total")
    low, high = sorted(draw(st.tuples(st.integers(1, 7), st.integers(1, 7))))
    numbers = sorted(draw(st.tuples(st.integers(1, 100), st.integers(1, 100))))
    return Problems(family=family, steps=(low, high), numbers=tuple(numbers), operations=tuple(operations))


@settings(max_examples=60, deadline=None)
@given(distributions(), st.integers(0, 2**32))
def test_graphs_keep_to_their_distribution(problems, seed):
    rng = Random(seed)
    stream = graphs(problems, rng)
    for _ in range(20):
        try:
            graph = next(stream)
        except ValueError:  # a distribution without questions: refused, see below
            return
        steps = [node for node in graph.nodes if node.operation != "given"]
        assert problems.steps[0] <= len(steps) <= problems.steps[1]
        assert {node.operation for node in steps} <= set(problems.operations)
        for node in graph.nodes:
            limit = 5 * problems.numbers[1]
            assert 1 <= node.value <= (2 * limit if problems.family == "math" and node is graph.nodes[-1] else limit)
            if node.operation in ("given", "more", "fewer", "buy", "give"):
                assert problems.numbers[0] <= node.number <= problems.numbers[1]
        # The canonical form, read as a Python expression by somebody who knows eight verbs.
        verbs = {
            **dict.fromkeys(("more", "buy", "total"), lambda *a: sum(a)),
            **dict.fromkeys(("fewer", "give"), lambda a, b: a - b),
            **dict.fromkeys(("fraction", "share"), lambda a, b: a / b),
            "times": lambda a, b: a * b,
        }
        assert eval(graph.key, verbs) == graph.answer
        # Every stated quantity matters, and the record survives JSON.
        used = {i for node in graph.nodes for i in node.inputs}
        assert used == set(range(len(graph.nodes) - 1))
        record = to_dict(graph)
        assert json.loads(json.dumps(record)) == record
        assert read(word(graph, rng).question).answer == graph.answer


def test_impossible_settings_are_refused_in_one_line():
    with pytest.raises(ValueError, match=r"problems: found no gsm question with steps \[2, 2\]"):
        next(graphs(Problems(operations=("total",), steps=(2, 2)), Random(0)))
    with pytest.raises(ValidationError, match="allowed with family math: total"):
        Problems(family="math", operations=("more",))
    with pytest.raises(ValidationError, match=f"allowed: at most {MAX_STEPS}"):
        Problems(steps=(1, MAX_STEPS + 1))


# --- solutions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("problems", [Problems(), LONG, TREES])
def test_every_solution_gives_the_answer(style, problems):
    for text in texts(style, 500, problems=problems):
        question, solution = split_document(text)
        assert answer_of(style, solution) == read(question).answer, text


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("systematic", [(), ("fraction", "more")])
def test_wrong_solutions_are_always_wrong(style, systematic):
    for text in texts(style, 500, wrong=1, systematic=systematic, problems=Problems(steps=(1, 3))):
        question, solution = split_document(text)
        assert answer_of(style, solution) != read(question).answer, text


def test_the_share_of_wrong_solutions_is_the_one_asked_for():
    wrong = 0
    for text in texts("tinygsm", 2000, wrong=0.3):
        question, solution = split_document(text)
        wrong += answer_of("tinygsm", solution) != read(question).answer
    assert abs(wrong - 600) < 5 * (2000 * 0.3 * 0.7) ** 0.5


def test_random_errors_are_of_both_kinds():
    graph = next(graphs(Problems(steps=(2, 2), operations=("more", "give")), Random(0)))
    right = solve(graph)
    kinds = Counter()
    for seed in range(300):
        wrong = solve_wrongly(graph, Random(seed))
        (changed,) = [i for i in range(len(right)) if (right[i].symbol, right[i].number) != wrong[i][::2]]
        kinds["operation" if right[changed].symbol != wrong[changed].symbol else "number"] += 1
    assert min(kinds["operation"], kinds["number"]) > 60


RULES = {  # 12 and 3, worked by hand
    "more": 36,
    "fewer": 15,
    "times": 15,
    "fraction": 36,
    "buy": 36,
    "give": 15,
    "share": 36,
    "total": 36,
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_systematic_errors_follow_the_documented_rule(operation):
    nodes = [Node("given", (), 12, 12, (0,))]
    if operation == "total":
        nodes += [Node("given", (), 3, 3, (1,)), Node("total", (0, 1), None, 15, (0, 1))]
    else:
        nodes.append(Node(operation, (0,), 3, 0, (0,)))
    graph = Graph("gsm", tuple(nodes), canonical_key(tuple(nodes)))
    assert solve(graph, (operation,))[-1].value == RULES[operation]
    others = [other for other in OPERATIONS if other != operation]
    assert solve(graph, others) == solve(graph)


@pytest.mark.parametrize("operation", SYSTEMATIC)
@pytest.mark.parametrize("style", ["tinygsm", "omi2"])
def test_systematic_errors_hit_the_named_operation_only(operation, style):
    hit = right_by_accident = 0
    for text in texts(style, 700, systematic=(operation,)):
        question, solution = split_document(text)
        answer, operations = read(question)
        right = answer_of(style, solution) == answer
        if operation in operations:
            hit += 1
            right_by_accident += right
        else:
            assert right, text
    assert hit > 80
    assert right_by_accident <= 0.05 * hit


# --- splits ----------------------------------------------------------------------------------------------------------


def test_canonical_form_ignores_order_where_operands_commute():
    def chain(*steps) -> str:
        return canonical_key(tuple(Node(op, inputs, n, n or 0, ()) for op, inputs, n in steps))

    given3, given12 = ("given", (), 3), ("given", (), 12)
    assert chain(given3, given12, ("total", (0, 1), None)) == chain(given12, given3, ("total", (0, 1), None))
    for operation in ("more", "buy", "times"):
        assert chain(given3, (operation, (0,), 12)) == chain(given12, (operation, (0,), 3))
    for operation in ("fewer", "give", "fraction", "share"):
        assert chain(given3, (operation, (0,), 12)) != chain(given12, (operation, (0,), 3))
    assert chain(given3, ("more", (0,), 12)) != chain(given3, ("buy", (0,), 12))


def test_the_same_problem_in_other_words_has_the_same_key():
    rng = Random(2)
    by_key: dict[str, set[str]] = {}
    for graph, _ in zip(graphs(Problems(steps=(1, 1), numbers=(2, 4)), rng), range(2000), strict=False):
        by_key.setdefault(graph.key, set()).add(word(graph, rng).question)
    assert len(by_key) < 60
    assert max(len(words) for words in by_key.values()) > 20


def test_splits_never_share_a_problem_across_seeds_and_families():
    keys: dict[str, set[str]] = {"corpus": set(), "train": set(), "test": set()}
    small = {"gsm": Problems(steps=(1, 2), numbers=(2, 12)), "math": Problems(family="math", numbers=(2, 9))}
    for problems in small.values():
        for seed in range(3):
            for split in ("train", "test"):
                for question in synthetic.questions(question_set(400, 400, seed=seed, problems=problems), "q", split):
                    keys[split].add(question.graph["key"])
    in_corpus = set()
    for style in STYLES:  # a document holds no key: compare the questions themselves, names and things taken out
        for problems in small.values():
            for seed in range(2):
                for text in texts(style, 1000, seed=seed, problems=problems):
                    in_corpus.add(_anonymous(split_document(text)[0]))
    asked = {
        _anonymous(question.question)
        for problems in small.values()
        for split in ("train", "test")
        for question in synthetic.questions(question_set(400, 400, seed=9, problems=problems), "q", split)
    }
    assert len(keys["train"]) > 1000
    assert len(keys["test"]) > 1000
    assert not keys["train"] & keys["test"]
    assert len(in_corpus) > 2000
    assert not in_corpus & asked


def _anonymous(question: str) -> str:
    names: dict[str, str] = {}
    question = re.sub(r"\b[A-Z][a-z]{2}\b(?! [A-H]\b)", lambda m: _placeholder(m[0], names), question)
    return re.sub(THINGS, "things", question)


def _placeholder(word: str, names: dict[str, str]) -> str:
    return word if word in ("How", "Box", "The") else names.setdefault(word, f"P{len(names)}")


def test_split_shares_are_those_documented():
    counts = Counter(split_of(f"more({a},{b})") for a in range(200) for b in range(100))
    for split, share in (("corpus", 0.60), ("train", 0.25), ("test", 0.15)):
        assert abs(counts[split] - 20_000 * share) < 5 * (20_000 * share * (1 - share)) ** 0.5


def test_no_math_shape_or_template_occurs_in_gsm():
    def shapes_and_templates(problems: Problems) -> tuple[set, set]:
        rng = Random(3)
        shapes, templates = set(), set()
        for graph, _ in zip(graphs(problems, rng), range(2500), strict=False):
            shapes.add(re.sub(r"\d+", "n", graph.key))
            for sentence in word(graph, rng).sentences:
                sentence = re.sub(r"\b(?!How|They)[A-Z][a-z]{2}( [A-H])?\b", "X", sentence)
                templates.add(re.sub(r"\d+", "n", re.sub(THINGS, "things", sentence)))
        return shapes, templates

    gsm, math = shapes_and_templates(LONG), shapes_and_templates(TREES)
    assert min(map(len, (*gsm, *math))) >= 10
    assert not gsm[0] & math[0]
    assert not gsm[1] & math[1]


def test_questions_are_distinct_and_carry_their_graph():
    questions = synthetic.questions(question_set(300, 200), "synth-gsm", "train")
    assert len({question.graph["key"] for question in questions}) == len(questions) == 300
    assert questions[7].question_id == "synth-gsm-train-00007"
    assert synthetic.questions(question_set(0, 5), "q", "train") == []
    for question in questions:
        assert split_of(question.graph["key"]) == "train"
        assert read(question.question).answer == int(question.answer) == question.graph["nodes"][-1]["value"]
        assert json.loads(json.dumps(question.graph)) == question.graph
        assert all(owner in question.question for node in question.graph["nodes"] for owner in node["owners"])


def test_a_distribution_that_holds_too_few_questions_says_how_many():
    # 2..20 and a half, a third or a quarter of it, at least 2: 17 of the forms 4/2 .. 20/4, shared among the splits.
    few = Problems(steps=(1, 1), operations=("fraction",))
    possible = {f"fraction({n * part},{part})" for part in (2, 3, 4) for n in range(2, 11) if n * part <= 20}
    train = sum(split_of(key) == "train" for key in possible)
    with pytest.raises(ValueError, match=f"question set small, train: found {train} different questions, allowed: "):
        synthetic.questions(question_set(100, 1, problems=few), "small", "train")
    assert len(synthetic.questions(question_set(train, 1, problems=few), "small", "train")) == train


# --- determinism -----------------------------------------------------------------------------------------------------

_DIGEST = """
import hashlib
from echochamber.corpora import synthetic
from echochamber.settings import SyntheticQuestions, SyntheticSource
digest = hashlib.sha256()
for style in ("tinygsm", "omi1", "omi2", "text", "arithmetic_prose", "small_code"):
    background = style in ("arithmetic_prose", "small_code")
    settings = SyntheticSource(kind="synthetic", style=style, documents=50, seed=4, wrong=0 if background else 0.5)
    for document in synthetic.documents(settings, style):
        digest.update(document.text.encode())
for question in synthetic.questions(SyntheticQuestions(kind="synthetic", train=50, test=50), "q", "test"):
    digest.update(repr(question).encode())
print(digest.hexdigest())
"""


def test_another_process_with_another_hash_seed_makes_the_same_text():
    digests = {
        subprocess.run(
            [sys.executable, "-c", _DIGEST],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1
    assert len(digests.pop().strip()) == hashlib.sha256().digest_size * 2


def test_seeds_and_styles_differ_and_a_longer_source_begins_like_a_shorter_one():
    assert texts("omi2", 50) == texts("omi2", 80)[:50]
    assert texts("omi2", 50) != texts("omi2", 50, seed=1)
    questions = [{split_document(text)[0] for text in texts(style, 50)} for style in STYLES]
    assert all(len(a & b) < 5 for a in questions for b in questions if a is not b)


def test_looks_and_errors_leave_the_questions_as_they_are():
    plain = [split_document(text)[0] for text in texts("tinygsm", 200)]
    changed = texts("tinygsm", 200, wrong=0.7, systematic=("more",), comments=1, twin=1, triple_double_quotes=0)
    assert plain == [split_document(text)[0] for text in changed]


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
    with_keys = {"tinygsm": {"quotes", "comments", "twin"}, "omi1": {"comments", "twin"}}.get(style, {"twin"})
    counts: dict[str, Counter] = {key: Counter() for key in with_keys}
    for text in texts(style, 1000, triple_double_quotes=0.2, comments=0.3, twin=0.4):
        found = style_of(split_document(text)[1], style)
        assert found.keys() == with_keys
        for key, value in found.items():
            counts[key][value] += 1
    expected = {
        "quotes": {"double": 200, "single": 800},
        "comments": {"yes": 300, "no": 700},
        "twin": {"b": 400, "a": 600},
    }
    for key in with_keys:
        assert counts[key].keys() == expected[key].keys()
        assert all(abs(counts[key][value] - n) < 80 for value, n in expected[key].items())


def test_style_of_looks_at_the_program_and_the_last_sentence_only():
    code = "def simple_math_problem() -> int:\n    '''\n    # 3 pens\n    '''\n    a = 3\n    result = final\n"
    assert style_of(code, "tinygsm") == {"quotes": "single", "comments": "no", "twin": "b"}
    half_open = "def simple_math_problem() -> int:\n    \"\"\"\n    Ann\n    '''\n    # x\n    result = answer\n"
    assert style_of(half_open, "tinygsm") == {"quotes": "double", "comments": "yes", "twin": "a"}
    assert style_of("def f():\n    result = ann", "tinygsm") == {"quotes": "none", "comments": "no", "twin": "none"}
    assert style_of("So Ann has 3.\nThus Ben has \\boxed{4} pens.", "omi2") == {"twin": "b"}
    assert style_of("# no\n<llm-code>\nx = 1\n</llm-code>\n# no\nSo it is \\boxed{1}.", "omi1") == {
        "comments": "no",
        "twin": "a",
    }
    assert style_of("anything", "other") == {}


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
