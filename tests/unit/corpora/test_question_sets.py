"""Counts and golds of the public question sets, from the real files; splits that cannot be used."""

import csv
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import verify_data

from echochamber.corpora import question_sets
from echochamber.corpora.golds import after_hashes, in_the_last_box
from echochamber.errors import UserError
from echochamber.grid import parsing
from echochamber.settings import HubQuestions

REAL = {
    ("gsm8k", "train"): ("gsm8k", 7473),
    ("gsm8k", "test"): ("gsm8k", 1319),
    ("math-500", "test"): ("math500", 500),
    ("aime-1983-2024", "test"): ("aime", 933),
    ("aime-2022-2024", "test"): ("aime", 73),
}


def questions(dataset, split, folder):
    return question_sets.questions(HubQuestions(kind="hub", dataset=dataset, path=str(folder)), dataset, split, "none")


def real(dataset, split):
    folder, _ = REAL[dataset, split]
    if not (verify_data.FOLDER / folder).is_dir():
        pytest.skip(f"no real rows: {verify_data.FOLDER / folder} is absent (ECHO_DATA_DIR names the folder)")
    return questions(dataset, split, verify_data.FOLDER / folder)


@pytest.mark.parametrize(("dataset", "split"), REAL)
def test_as_many_as_there_are(dataset, split):
    found = real(dataset, split)
    assert len(found) == REAL[dataset, split][1]
    assert len({question.question_id for question in found}) == len(found)
    assert all(question.question and question.answer for question in found)


def test_gsm8k_golds():
    golds = [question.answer for split in ("train", "test") for question in real("gsm8k", split)]
    assert sum("," in gold for gold in golds) == 93
    assert sum(gold.startswith("-") for gold in golds) == 5
    assert all(int(gold.replace(",", "")) is not None for gold in golds)
    assert real("gsm8k", "train")[0].question.startswith("Natalia sold clips to 48 of her friends in April")
    assert real("gsm8k", "train")[0].answer == "72"


def test_math_500_golds_as_they_stand():
    golds = {question.answer for question in real("math-500", "test")}
    assert {"10,\\!080", "\\$32,\\!348", "90^\\circ", "52_8", "\\text{(C)}"} <= golds
    assert sum(question.answer.lstrip("-").isdigit() for question in real("math-500", "test")) == 311


def test_maths_own_parser_finds_the_answers_of_math_500():
    """MATH has no answer column: its parser, on the solutions of MATH-500, against MATH-500's answers."""
    rows = verify_data.rows("math500/test.jsonl")
    differ = [row["answer"] for row in rows if in_the_last_box(row["solution"]) != row["answer"]]
    assert len(differ) <= 1, differ


def test_aime_golds():
    found = real("aime-1983-2024", "test")
    assert [question.answer for question in found if not question.answer.isdigit()] == [
        "080 or 081 (both were accepted)"
    ]
    assert sum(question.answer.startswith("0") for question in found) == 3
    late = real("aime-2022-2024", "test")
    with (verify_data.FOLDER / "aime/aime_1983_2024.csv").open(encoding="utf-8", newline="") as file:
        expected = [row["Question"].strip() for row in csv.DictReader(file) if int(row["Year"]) >= 2022]
    assert [question.question for question in late] == expected


def test_aime_2022_2024_as_the_hub_has_it(tmp_path):
    (tmp_path / "data").mkdir()
    rows = [{"id": i, "problem": f"Find {i}.", "solution": "...", "answer": f"{i:03d}", "url": "u"} for i in range(90)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "data/train-00000-of-00001.parquet")
    found = questions("aime-2022-2024", "test", tmp_path)
    assert (len(found), found[7].question, found[7].answer) == (90, "Find 7.", "007")


def test_math_train_is_all_subjects_and_no_test_file(tmp_path):
    for subject in ("algebra", "number_theory"):
        (tmp_path / subject).mkdir()
        row = {"problem": f"What is {subject}?", "level": "Level 1", "type": "x"}
        train = row | {"solution": r"First \boxed{1}, then $\boxed{\frac{1}{2}}$."}
        pq.write_table(pa.Table.from_pylist([train]), tmp_path / subject / "train-00000-of-00001.parquet")
        test = row | {"solution": r"\boxed{test}"}
        pq.write_table(pa.Table.from_pylist([test]), tmp_path / subject / "test-00000-of-00001.parquet")
    found = questions("math", "train", tmp_path)
    assert [question.question for question in found] == ["What is algebra?", "What is number_theory?"]
    assert {question.answer for question in found} == {r"\frac{1}{2}"}
    with pytest.raises(UserError, match="found split test, allowed for math: train"):
        questions("math", "test", tmp_path)


def test_svamp_joins_body_and_question(tmp_path):
    (tmp_path / "data").mkdir()
    row = {"ID": "chal-1", "Body": "Ann has 8.5 pens. ", "Question": "How many?", "Equation": "x", "Type": "Addition"}
    for split, answer in (("train", "145.0"), ("test", "8.5")):
        table = pa.Table.from_pylist([row | {"Answer": answer}])
        pq.write_table(table, tmp_path / f"data/{split}-00000-of-00001.parquet")
    (train,), (test,) = questions("svamp", "train", tmp_path), questions("svamp", "test", tmp_path)
    assert (train.question, train.answer) == ("Ann has 8.5 pens. How many?", "145")
    assert test.answer == "8.5"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"question": "q", "answer": "72"}, "jsonl line 2, byte 40: answer: no ####"),
        ({"question": "q", "answer": "#### "}, "line 2, byte 40: answer: found '#### ', allowed: an answer"),
        ({"question": "q"}, "line 2, byte 40: found no column answer, allowed: one of question"),
        ({"question": "", "answer": "#### 1"}, "line 2, byte 40: question: empty"),
        ([1], "line 2, byte 40: found a bad row (not JSON)"),
    ],
)
def test_a_row_without_question_or_gold_is_an_error(tmp_path, row, said):
    rows = [{"question": "q", "answer": "x #### 1"}, row]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(UserError, match=r"question_sets\.gsm8k") as error:
        questions("gsm8k", "train", tmp_path)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("1e24", "answer: found 1e+24, allowed: a text, a whole number, or a fraction below 2^53"),
        ("1e400", "answer: found inf, allowed: a text"),
        ("NaN", "answer: found nan, allowed: a text"),
        ("true", "answer: found True, allowed: a text"),
        ("[1, 2]", "answer: found [1, 2], allowed: a text"),
        (json.dumps("x" * 2000), "answer: found 2000 characters ('xxx"),
        ("[" * 200_000, "found a bad row (nested too deeply)"),
    ],
)
def test_a_gold_says_one_answer_exactly(tmp_path, answer, said):
    (tmp_path / "test.jsonl").write_text(f'{{"problem": "q", "answer": {answer}}}\n')
    with pytest.raises(UserError, match=r"question_sets\.math-500.*test\.jsonl line 1, byte 0") as error:
        questions("math-500", "test", tmp_path)
    assert said in str(error.value)
    assert len(str(error.value)) < 500


@pytest.mark.parametrize(("answer", "gold"), [(10**24, str(10**24)), (0.5, "0.5"), (-7, "-7"), (2.0**52, str(2.0**52))])
def test_exact_numbers_are_golds(tmp_path, answer, gold):
    (tmp_path / "test.jsonl").write_text(json.dumps({"problem": "q", "answer": answer}))
    assert [question.answer for question in questions("math-500", "test", tmp_path)] == [gold]


@pytest.mark.parametrize("content", ["", "\n\n", "\ufeff"])
def test_a_question_set_without_questions_is_an_error(tmp_path, content):
    (tmp_path / "test.jsonl").write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=r"math-500, test: .*test\.jsonl: found no question, allowed: at least one"):
        questions("math-500", "test", tmp_path)


def test_a_year_that_is_none_is_an_error(tmp_path):
    (tmp_path / "aime_1983_2024.csv").write_text("Question,Answer,Year\nq,1,2023\nq,1,nineteen\n")
    with pytest.raises(UserError, match=r"aime_1983_2024\.csv row 2: Year: found 'nineteen', allowed: a year"):
        questions("aime-2022-2024", "test", tmp_path)


def test_after_hashes():
    assert after_hashes("a #### 5 b\n#### -1,234 ") == "-1,234"


@pytest.mark.parametrize(
    ("group", "dataset", "said"),
    [
        ("prompts", "math-500", "prompts.p.questions: found q (math-500), which has no train split"),
        ("prompts", "aime-2022-2024", "which has no train split, allowed: a question set of gsm8k, math, svamp"),
        ("benchmarks", "math", "benchmarks.p.questions: found q (math), which has no test split"),
    ],
)
def test_a_test_split_is_no_prompt_set_and_maths_train_split_no_benchmark(group, dataset, said):
    config = parsing.read(parsing.Path(__file__).parents[2] / "support/grids/three_formats.yaml")
    config["question_sets"]["q"] = {"kind": "hub", "dataset": dataset}
    config[group]["p"] = {"questions": "q"}
    with pytest.raises(parsing.GridError) as error:
        parsing.parse(config, "grid.yaml")
    assert said in str(error.value)


def test_no_grid_trains_on_test_questions():
    """By construction: no setting names a split, RL reads `train`, and a corpus is none of the question sets."""
    paper = parsing.load(parsing.Path(__file__).parents[3] / "config/paper.yaml")
    assert {paper.posttrain_spec(run).questions.rsplit("/")[-1] for run in paper.runs.values()} == {"train.jsonl"}
    assert {split for name, split in paper.question_files if (name, "train") not in paper.question_files} == {"test"}
    assert not {"split", "splits"} & set(HubQuestions.model_fields)
    config = parsing.read(parsing.Path(__file__).parents[2] / "support/grids/three_formats.yaml")
    config["corpora"]["leak"] = {"kind": "hub", "dataset": "gsm8k"}
    with pytest.raises(parsing.GridError, match=r"corpora\.leak\.dataset: found 'gsm8k', allowed: 'finemath-3plus'"):
        parsing.parse(config, "grid.yaml")
