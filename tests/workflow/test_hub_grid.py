"""The paper's adapters through Snakemake, on real rows in folders laid out as on the hub: the same commands."""

import json
import re
import shutil
from pathlib import Path

import hub_files
import pandas as pd
import pytest
import verify_data
from workflow_grid import Grid

from echochamber.data import contamination
from echochamber.data.shards import Corpus
from echochamber.data.tokenizer import load_tokenizer, train_bpe
from echochamber.datasets import CORPORA


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    """Real rows where there are some, background made up, in the folder that `snakemake download` would fill."""
    grid = Grid(tmp_path_factory.mktemp("hub"), "hub")
    grid.file.write_text(Path(__file__).with_name("hub.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    texts = []
    for dataset, (source, place, *columns) in hub_files.REAL.items():
        rows = verify_data.rows(source)
        hub_files.write(grid.folder / "data" / CORPORA[dataset].repository, place, rows)
        texts += ["\n\n".join(row[column] for column in columns) for row in rows[:100]]
    web = [{"text": f"Page {i}: the sum of {i} and {i} is {2 * i}. " * (1 + i % 9), "score": 3.5} for i in range(300)]
    # A page that gives a test question away, and one that is broken: the first is left out, the second counted.
    web += [{"text": f"Solved! {verify_data.rows('gsm8k/test.jsonl')[0]['question']} 18."}, {"text": None}]
    code = [{"text": f"theorem t{i} : {i} + {i} = {2 * i} := rfl\n" * (1 + i % 9), "meta": {}} for i in range(300)]
    downloads = grid.folder / "data"
    hub_files.write(downloads / "HuggingFaceTB/finemath", "finemath-3plus/train-00000-of-00001.parquet", web)
    hub_files.write(downloads / "EleutherAI/proof-pile-2", "algebraic-stack/train/lean0000.jsonl.zst", code)
    shutil.copy(verify_data.FOLDER / "gsm8k/test.jsonl", downloads / "openai/gsm8k")
    shutil.copy(verify_data.FOLDER / "gsm8k/train.jsonl", downloads / "openai/gsm8k")
    shutil.copytree(verify_data.FOLDER / "math500", grid.folder / "math500")
    tokenizer = train_bpe(texts, 600)
    assert len(tokenizer) == 600
    tokenizer.save_pretrained(grid.folder / "tokenizer")
    return grid


def manifest(grid, source):
    return json.loads((grid.results / "corpora" / source / "manifest.json").read_text(encoding="utf-8"))


def test_what_is_missing_is_said_in_one_line_each_before_any_job(grid):
    """Here one folder is taken away, and the tokenizer; the other sources are there."""
    moved = [("data/nvidia", "away"), ("tokenizer", "away-too")]
    for there, away in moved:
        (grid.folder / there).rename(grid.folder / away)
    try:
        refused = grid.snakemake()
    finally:
        for there, away in moved:
            (grid.folder / away).rename(grid.folder / there)
    assert refused.returncode == 1
    lines = [line for line in refused.stdout.splitlines() if "allowed:" in line]
    assert [line.split(":")[0] for line in lines] == ["corpora.omi1", "corpora.omi2", "tokenizer.path"]
    assert all("snakemake download" in line for line in lines)
    assert not (grid.results / "corpora").exists()


def test_a_download_without_network_fails_in_one_line(grid):
    failed = grid.snakemake("--", "download")
    assert failed.returncode == 1
    said = [line for line in failed.stdout.splitlines() if "cannot be listed (OfflineModeIsEnabled" in line]
    assert len(said) == 1
    assert "Traceback" not in failed.stdout


def test_the_same_commands_run_on_the_papers_data(done, grid):
    run = grid.results / "runs/all.5/femto/seed0/grpo/gsm8k/seed0"
    assert len(pd.read_csv(run / "metrics.csv")) == 2
    samples = pd.read_parquet(grid.results / "evals/all.5/femto/seed0/gsm8k/samples.parquet")
    assert samples["question_id"].nunique() == 6
    assert "Does the same command run" in (grid.results / "report.html").read_text(encoding="utf-8")


def test_the_question_files_are_the_real_sets(done, grid):
    lines = {
        path.stem: path.read_text(encoding="utf-8").count("\n") for path in grid.results.glob("questions/gsm8k/*.jsonl")
    }
    assert lines == {"train": 7473, "test": 1319}


def test_corpora_say_what_they_left_out(done, grid):
    assert [manifest(grid, name)["rows"] for name in ("tg", "omi1", "omi2", "mmqa", "as")] == [2, 100, 100, 3, 300]
    fm3 = manifest(grid, "fm3")
    assert (fm3["rows"], fm3["contaminated"], fm3["bad_rows"]) == (302, 1, {"missing field": 1})
    assert fm3["train"]["documents"] + fm3["held_out"]["documents"] == 300
    gsm8k = manifest(grid, "gsm8k-train")
    assert 59_000 < gsm8k["train"]["tokens"] <= 60_000
    assert len(gsm8k["shards"]) == 2


def test_tokens_decode_to_the_real_documents(done, grid):
    tokenizer = load_tokenizer(grid.results / "tokenizer")
    rows = verify_data.rows("openmathinstruct1/rows_100.jsonl")
    texts = [f"{row['question']}\n\n{row['generated_solution']}" for row in rows]
    hits = contamination.index(grid.results.glob("questions/*/test.jsonl")).hits(texts)
    assert manifest(grid, "omi1")["contaminated"] == hits.sum() == 1  # 13 words on how to answer, of MATH-500 as well
    kept = [text for text, hit in zip(texts, hits, strict=True) if not hit]
    corpus = Corpus(grid.results / "corpora/omi1")
    ids = [corpus.document(i)[:-1] for i in range(len(corpus))]
    assert tokenizer.batch_decode(ids, clean_up_tokenization_spaces=False) == kept[1:]  # one is held out


def test_more_bad_rows_than_allowed_fail_the_corpus(done, grid):
    changed = grid.folder / "strict.yaml"
    text = grid.file.read_text(encoding="utf-8").replace(
        "dataset: finemath-3plus", "dataset: finemath-3plus, bad_rows: 0"
    )
    changed.write_text(text.replace("name: hub", "name: strict"), encoding="utf-8")
    failed = grid.snakemake("--configfile", str(changed), "--", "results/strict/corpora/fm3/manifest.json")
    assert failed.returncode == 1
    place = "data/HuggingFaceTB/finemath/finemath-3plus/train-00000-of-00001.parquet row 302"
    assert (
        f"found 1 bad rows in 302 (missing field 1; first: missing field: {place}, text), allowed: a share of 0"
        in failed.stdout
    )


def test_a_bad_row_fails_the_corpus_unless_it_says_skip(done, grid):
    changed = grid.folder / "error.yaml"
    text = grid.file.read_text(encoding="utf-8").replace(", on_bad_row: skip", "")
    changed.write_text(text.replace("name: hub", "name: error"), encoding="utf-8")
    failed = grid.snakemake("--configfile", str(changed), "--", "results/error/corpora/fm3/manifest.json")
    assert failed.returncode == 1
    assert "train-00000-of-00001.parquet row 302, text: found a bad row (missing field), allowed:" in failed.stdout


def test_snakemake_mixtures_prints_a_table(done, grid):
    shown = grid.snakemake("--", "mixtures")
    assert shown.returncode == 0, shown.stdout
    assert re.search(r"mixture\s+source\s+passes\s+documents\s+tokens\s+share", shown.stdout)
    assert re.search(r"\n\s*all\.5\s+tg\s+2\s+2\s+\d+\s+0\.\d+", shown.stdout)  # one of two held out, two passes
    assert re.search(r"\n\s*all\.5\s+all\s+\d+\s+\d+\s+1\.0", shown.stdout)
    assert grid.to_do("--", "mixtures") == {"mixtures": 1}  # whoever asks again is told again


def test_snakemake_contamination_writes_a_table(done, grid):
    made = grid.snakemake("--", "contamination")
    assert made.returncode == 0, made.stdout
    table = pd.read_csv(grid.results / "contamination.csv").set_index(["source", "question_set", "split", "ngram"])
    assert table.loc[("fm3", "gsm8k", "test", 13), "documents_found"] == 1
    assert table.loc[("gsm8k-train", "gsm8k", "train", 13)][["questions", "questions_found"]].nunique() == 1
    assert table.loc[("omi1", "gsm8k", "train", 13), "documents_found"] == 44  # as many rows say that they are from it
    assert table.loc[("omi1", "gsm8k", "test", 13), "documents_found"] == 0
    # GSM8K's own train set shares 13 words in a row with three questions of its test set.
    assert table.loc[("gsm8k-train", "gsm8k", "test", 13)][["questions_found", "documents_found"]].tolist() == [3, 4]
    assert "documents_found" in made.stdout


def test_nothing_is_missed_that_was_read_already(done, grid):
    """The downloads may be thrown away once there are tokens."""
    (grid.folder / "data").rename(grid.folder / "gone")
    try:
        again = grid.snakemake()
    finally:
        (grid.folder / "gone").rename(grid.folder / "data")
    assert again.returncode == 0, again.stdout
    assert "Nothing to be done" in again.stdout
