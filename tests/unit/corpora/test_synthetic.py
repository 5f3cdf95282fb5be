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
from synthetic_samples import LONG, STYLES, THINGS, TREES, answer_of, question_set, split_document, texts

from echochamber.corpora import synthetic
from echochamber.corpora.problems import Graph, Node, canonical_key, graphs, split_of, to_dict
from echochamber.corpora.solutions import SYSTEMATIC, solve, solve_wrongly
from echochamber.corpora.wording import word
from echochamber.settings import OPERATIONS, Problems
from echochamber.settings.world import MAX_STEPS

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
