"""The browser's data: every completion comes back as text, in the page where its base model is; limits are kept."""

from __future__ import annotations

import base64
import gzip
import json

import fabricated
import pandas as pd
import pytest
from hostile_texts import TEXTS

from echochamber.formats import FORMATS, RULES
from echochamber.printable import printable_lines
from echochamber.report import completions
from echochamber.report.web import LONGEST
from echochamber.verify.verdict import FLAGS, STATUSES

STUDY = {
    "title": "Which?",
    "mixtures": ["tg+omi1+omi2", "tg"],
    "algorithms": ["grpo"],
    "prompts": ["synth-gsm"],
    "benchmarks": ["synth-gsm"],
}
KEY = ("tg+omi1+omi2/nano/seed0/grpo/synth-gsm/seed0", "synth-gsm")


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    grid = fabricated.grid(tmp_path_factory.mktemp("results"), study=STUDY)
    fabricated.fabricate(grid, questions=12, steps=(1, 8))
    return grid


def unpacked(text: str) -> dict:
    return json.loads(gzip.decompress(base64.b64decode(text)))


def rows_of(data: dict) -> pd.DataFrame:
    text = [data["texts"][i] for i in data["text"]]
    answers = {
        f"answer_{rule}": [None if i < 0 else data["answers"][r][i] for i in data["answer"][r]]
        for r, rule in enumerate(RULES)
    }
    correct = {f"correct_{rule}": [bool(bits >> r & 1) for bits in data["right"]] for r, rule in enumerate(RULES)}
    flags = [",".join(name for i, name in enumerate(FLAGS) if bits >> i & 1) for bits in data["flags"]]
    plain = {name: data[name] for name in ("step", "sample", "tokens")}
    return pd.DataFrame(
        plain
        | {"question_id": [data["questions"][i] for i in data["question"]], "completion": text, "flags": flags}
        | {"format": [FORMATS[i] for i in data["format"]], "finished": [bool(i) for i in data["finished"]]}
        | {"status_executed": [STATUSES[i] for i in data["status"]]}
        | answers
        | correct
    )


def test_every_completion_comes_back(grid):
    path = grid.paths.samples(*KEY)
    samples = pd.read_parquet(path)
    chunk = completions.chunk(path, "c", [f"q{i:03d}" for i in range(12)], 10**9)
    assert (chunk.questions, chunk.left_out) == (12, 0)
    rows = rows_of(unpacked(chunk.text))
    samples["sample"] = samples["sample"].where(samples["mode"] == "sample", -1)
    by = ["question_id", "step", "sample"]
    expected = samples[[*rows.columns]].sort_values(by).reset_index(drop=True)
    got = rows.sort_values(by).reset_index(drop=True)
    assert len(got) == 12 * 2 * 17
    for column in rows.columns:
        assert got[column].fillna("-").tolist() == expected[column].fillna("-").tolist(), column


def test_hostile_texts_are_escaped_and_cut(grid, tmp_path):
    samples = pd.read_parquet(grid.paths.samples(*KEY))
    texts = [text for text in TEXTS if not any("\ud800" <= c <= "\udfff" for c in text)]  # no file holds surrogates
    samples = samples.iloc[: len(texts)].assign(completion=texts, answer_executed=texts)
    samples.to_parquet(tmp_path / "samples.parquet")
    data = unpacked(completions.chunk(tmp_path / "samples.parquet", "c", [], 10**9).text)
    shown = [data["texts"][i] for i in data["text"]]
    by_row = dict(zip([(q, s) for q, s in zip(data["question"], data["sample"], strict=True)], shown, strict=True))
    assert len(by_row) == len(texts)
    expected = {printable_lines(t) if len(t) <= LONGEST else (len(t),) for t in texts}
    assert {t if isinstance(t, str) else (t[1],) for t in shown} == expected
    (long,) = [t for t in shown if isinstance(t, list)]
    assert long == ["x" * LONGEST, 1_000_000]
    for text in [*(t if isinstance(t, str) else t[0] for t in shown), *data["questions"]]:
        assert printable_lines(text) == text


def test_what_is_too_much_is_left_out_by_question_and_said(grid, monkeypatch):
    path = grid.paths.samples(*KEY)
    monkeypatch.setattr(completions, "ROWS", 100)  # 34 completions of each question
    chunk = completions.chunk(path, "c", ["q005", "q001", "q000"], 10**9)
    data = unpacked(chunk.text)
    assert (chunk.questions, chunk.left_out) == (2, 10)
    assert data["questions"] == ["q005", "q001"]
    smallest = completions.chunk(path, "c", [], 1)
    assert (smallest.questions, smallest.left_out) == (1, 11)


def test_a_run_lies_in_the_page_of_its_base_model_and_pages_are_not_overfull(grid, monkeypatch):
    whole = completions.pages(grid)
    assert [page.name for page in whole] == [""]
    assert set(whole[0].chunks) == set(grid.evaluations)
    sizes = {key: len(chunk.text) for key, chunk in whole[0].chunks.items()}
    first = sizes[KEY] + sizes["tg+omi1+omi2/nano/seed0", "synth-gsm"]
    monkeypatch.setattr(completions, "IN_REPORT", first)
    filled = completions.pages(grid)
    assert [page.name for page in filled] == ["", "completions-001.html"]
    for page in filled:
        for id, benchmark in page.chunks:
            assert id not in grid.runs or (grid.runs[id].model.id, benchmark) in page.chunks
    assert set().union(*(page.chunks for page in filled)) == set(grid.evaluations)
    assert filled[0].size <= first
    here, there = (completions.index(grid, filled, page)["runs"] for page in filled)
    where = {run["id"]: run["at"]["synth-gsm"][0] for run in here}
    assert where[KEY[0]] == ""
    assert where["tg/nano/seed0/grpo/synth-gsm/seed0"] == "report/completions-001.html"
    assert {run["at"]["synth-gsm"][0] for run in there} == {"", "../report.html"}


def test_evaluations_that_are_not_there_are_left_out(grid, tmp_path):
    empty = fabricated.grid(tmp_path, study=STUDY)
    (report,) = completions.pages(empty)
    assert report.chunks == {}
    assert completions.index(empty, [report], report)["runs"] == []
