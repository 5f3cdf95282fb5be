"""Which files a grid needs (pure), and fetching and streaming them from a hub of our own on this machine."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import stub_hub
from hub_download import ROOT, run, small_grid

from echochamber.data import download
from echochamber.data.download import Wanted, chosen, not_here, wanted, wanted_tokenizer
from echochamber.data.tokenizer import train_bpe
from echochamber.errors import UserError
from echochamber.grid import parsing
from echochamber.jobs.downloads import File, read_listing, write_listing


def paper(**changes):
    config = parsing.read(ROOT / "config/paper.yaml")
    if "studies" in changes:
        del config["primary"]  # which names rows of the paper's own
    for key, value in changes.items():
        place = config
        *keys, last = key.split("/")
        for name in keys:
            place = place[name]
        place[last] = value
    return parsing.parse(config, "paper.yaml")


LISTINGS = {  # as on the hub, shortened: what is beside the wanted files matters
    "HuggingFaceTB/finemath": [
        "README.md",
        "finemath-3plus/train-00000-of-00128.parquet",
        "finemath-3plus/train-00001-of-00128.parquet",
        "finemath-4plus/train-00000-of-00064.parquet",
    ],
    "EleutherAI/proof-pile-2": [
        "proof-pile-2.py",
        "algebraic-stack/train/agda0000.jsonl.zst",
        "algebraic-stack/test/agda0000.jsonl.zst",
        "arxiv/train/arXiv_000.jsonl.zst",
    ],
    "TinyGSM/TinyGSM": ["data/train-00000-of-00018.parquet", "data/train-00001-of-00018.parquet"],
    "nvidia/OpenMathInstruct-1": [
        "correct_solutions/train.jsonl",
        "correct_solutions/validation.jsonl",
        "incorrect_solutions/train.jsonl",
        "README.md",
    ],
    "nvidia/OpenMathInstruct-2": ["data/train-00000-of-00032.parquet", "data/train_1M-00000-of-00003.parquet"],
    "meta-math/MetaMathQA": ["MetaMathQA-395K.json", "README.md"],
    "openai/gsm8k": [f"{c}/{s}-00000-of-00001.parquet" for c in ("main", "socratic") for s in ("train", "test")],
    "EleutherAI/hendrycks_math": [f"{c}/{s}-00000-of-00001.parquet" for c in ("algebra",) for s in ("train", "test")],
    "HuggingFaceH4/MATH-500": ["test.jsonl", "README.md"],
    "di-zhang-fdu/AIME_1983_2024": ["AIME_Dataset_1983_2024.csv"],
    "AI-MO/aimo-validation-aime": ["data/train-00000-of-00001.parquet"],
}
NEEDED = {
    "corpora.fm3": ["finemath-3plus/train-00000-of-00128.parquet", "finemath-3plus/train-00001-of-00128.parquet"],
    "corpora.as": ["algebraic-stack/train/agda0000.jsonl.zst"],
    "corpora.tg": ["data/train-00000-of-00018.parquet", "data/train-00001-of-00018.parquet"],
    "corpora.omi1": ["correct_solutions/train.jsonl"],
    "corpora.omi2": ["data/train-00000-of-00032.parquet", "data/train_1M-00000-of-00003.parquet"],
    "corpora.mmqa": ["MetaMathQA-395K.json"],
    "question_sets.gsm8k": ["main/test-00000-of-00001.parquet", "main/train-00000-of-00001.parquet"],
    "question_sets.math": ["algebra/train-00000-of-00001.parquet"],
    "question_sets.math-500": ["test.jsonl"],
    "question_sets.aime-1983-2024": ["AIME_Dataset_1983_2024.csv"],
    "question_sets.aime-2022-2024": ["data/train-00000-of-00001.parquet"],
}


def test_exactly_the_files_that_the_papers_grid_needs():
    found = {}
    for want in wanted(paper()):
        files = chosen(want, dict.fromkeys(LISTINGS[want.repository], 1))
        found[want.key] = sorted([*found.get(want.key, []), *files])
    assert found == NEEDED


def test_what_lies_elsewhere_or_is_not_used_is_not_wanted():
    keys = {want.key for want in wanted(paper(**{"corpora/tg/path": "my/tinygsm", "question_sets/math/path": "m"}))}
    assert keys == set(NEEDED) - {"corpora.tg", "question_sets.math"}
    small = paper(
        studies={"a": {"title": "?", "mixtures": ["4xtg-alone"], "scales": ["150m"], "benchmarks": ["gsm8k"]}},
    )
    assert {(want.key, want.patterns[0]) for want in wanted(small)} == {
        ("corpora.tg", "data/train-*.parquet"),
        ("question_sets.gsm8k", "main/test-*.parquet"),
    }


def test_the_tokenizer_is_wanted_unless_it_is_a_folder(tmp_path):
    want = wanted_tokenizer(paper(**{"tokenizer/path": "someone/llama-2"}))
    assert (want.repository, want.kind) == ("someone/llama-2", "model")
    files = [
        "tokenizer.json",
        "tokenizer_config.json",
        "tokenizer.model",
        "special_tokens_map.json",
        "model.safetensors",
    ]
    assert set(chosen(want, dict.fromkeys(files, 1))) == set(files[:4])
    assert wanted_tokenizer(paper(**{"tokenizer/path": str(tmp_path)})) is None


def test_a_repository_without_the_files_is_an_error():
    want = Wanted("corpora.tg", "a/b", "dataset", "main", ("data/train-*.parquet", "train.jsonl"))
    with pytest.raises(UserError, match=r"corpora\.tg: found no data/train-\*\.parquet or train\.jsonl in the .* a/b"):
        chosen(want, {"README.md": 3})


def test_files_that_are_there_in_full_are_not_fetched_again(tmp_path):
    (tmp_path / "a").write_bytes(b"1234")
    (tmp_path / "b").write_bytes(b"12")
    listing = {name: File(4, f"of {name}", "commit 2") for name in "abc"}
    assert list(not_here(tmp_path, listing)) == ["b", "c"]
    write_listing(tmp_path, {"a": File(4, "of a", "commit 1")})
    assert list(not_here(tmp_path, listing)) == ["b", "c"]  # another commit with the same file
    write_listing(tmp_path, {"a": File(4, "another a", "commit 1")})
    assert list(not_here(tmp_path, listing)) == ["a", "b", "c"]


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """A hub that has what the small grid of these tests needs, and more."""
    root = tmp_path_factory.mktemp("hub")
    rows = [
        {"question": f"What is {i} + {i}?", "code": f"def simple_math_problem() -> int:\n    return {2 * i}"}
        for i in range(50)
    ]
    for number in range(2):
        path = root / f"TinyGSM/TinyGSM/data/train-0000{number}-of-00002.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows[number * 25 :][:25]), path)
    for split in ("train", "test"):
        path = root / f"openai/gsm8k/main/{split}-00000-of-00001.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist([{"question": f"{split}?", "answer": "so #### 7"}]), path)
    lines = "".join(json.dumps({"question": f"q{i:03d}", "generated_solution": "s" * 999}) + "\n" for i in range(300))
    for folder in ("correct_solutions", "incorrect_solutions"):
        (root / "nvidia/OpenMathInstruct-1" / folder).mkdir(parents=True)
        (root / "nvidia/OpenMathInstruct-1" / folder / "train.jsonl").write_text(lines)
    with stub_hub.serve(root) as (address, handler):
        yield root, address, handler


def test_download_prints_and_fetches_what_is_needed_and_goes_on_where_it_stopped(hub, tmp_path):
    root, address, handler = hub
    grid = small_grid()
    first = run(tmp_path, address, "download", grid.grid_spec("download").canonical(), "data")
    assert first.returncode == 0, first.stderr
    fetched = {str(path.relative_to(tmp_path)) for path in tmp_path.glob("data/*/*/[!.]*/*")}
    assert fetched == {
        "data/TinyGSM/TinyGSM/data/train-00000-of-00002.parquet",
        "data/TinyGSM/TinyGSM/data/train-00001-of-00002.parquet",
        "data/nvidia/OpenMathInstruct-1/correct_solutions/train.jsonl",
        "data/openai/gsm8k/main/test-00000-of-00001.parquet",
    }
    assert all(path in first.stdout for path in fetched)
    assert "to fetch: 4 files" in first.stdout
    assert "HTTP Request" not in first.stderr
    for path in fetched:
        assert (tmp_path / path).read_bytes() == (root / path.removeprefix("data/")).read_bytes()

    (tmp_path / "data/openai/gsm8k/main/test-00000-of-00001.parquet").unlink()
    handler.requests.clear()
    again = run(tmp_path, address, "download", grid.grid_spec("download").canonical(), "data")
    assert "to fetch: 1 files" in again.stdout
    assert {path for method, path, _ in handler.requests if method == "GET" and "/resolve/" in path} == {
        f"/datasets/openai/gsm8k/resolve/{stub_hub.COMMIT}/main/test-00000-of-00001.parquet"
    }
    listing = read_listing(tmp_path / "data/openai/gsm8k")
    assert {path: (file.size, file.commit) for path, file in listing.items()} == {
        "main/test-00000-of-00001.parquet": (
            (root / "openai/gsm8k/main/test-00000-of-00001.parquet").stat().st_size,
            stub_hub.COMMIT,
        )
    }


def test_the_tokenizer_is_listed_and_fetched_before_anything_else(hub, tmp_path):
    """A grid of a hundred gigabytes ends at once where its tokenizer cannot be had."""
    _, address, handler = hub
    spec = small_grid().grid_spec("download").canonical()
    spec["grid"]["tokenizer"] = {"kind": "hub", "path": "someone/llama"}
    handler.requests.clear()
    failed = run(tmp_path, address, "download", spec, "data")
    assert failed.returncode == 1
    assert "the repository someone/llama (main) cannot be listed" in failed.stderr.strip().splitlines()[-1]
    asked = {path for _, path, _ in handler.requests if path.startswith(("/api/models", "/api/datasets"))}
    assert asked == {"/api/models/someone/llama/revision/main"}
    assert not (tmp_path / "data").exists()


def test_half_a_download_is_refused_by_the_jobs_and_before_any(hub, tmp_path, monkeypatch):
    """The second of TinyGSM's two files cannot be had; the listing of both was written before."""
    root, address, handler = hub
    monkeypatch.setattr(handler, "gone", "train-00001-of-00002.parquet")
    stopped = run(tmp_path, address, "download", small_grid().grid_spec("download").canonical(), "data")
    assert stopped.returncode == 1
    said = stopped.stderr.strip().splitlines()
    assert "Traceback" not in stopped.stderr
    assert "corpora.tg: data/train-00001-of-00002.parquet of TinyGSM/TinyGSM cannot be fetched (" in said[-1]
    assert len(stopped.stderr) < 2000
    folder = tmp_path / "data/TinyGSM/TinyGSM"
    assert not (folder / "data/train-00001-of-00002.parquet").exists()
    first = "data/train-00000-of-00002.parquet"  # which was under way, or is there
    (folder / first).write_bytes((root / "TinyGSM/TinyGSM" / first).read_bytes())
    assert set(read_listing(folder)) == {f"data/train-0000{number}-of-00002.parquet" for number in range(2)}

    monkeypatch.chdir(tmp_path)
    wanted = "corpora.tg: found 1 of 2 files whole, not data/train-00001-of-00002.parquet in data/TinyGSM/TinyGSM, "
    (line,) = download.missing(small_grid(), ["tg"], [], tokenizer=False)
    assert line.startswith(wanted)
    train_bpe(["def q0123"], 300).save_pretrained(tmp_path / "tokenizer")
    spec = small_grid().shard_spec("tg", 0).canonical() | {"tokenizer": "tokenizer", "held_out_documents": 0}
    refused = run(tmp_path, address, "tokenize_corpus", spec, "tg")
    assert refused.returncode == 1
    assert wanted in refused.stderr.strip().splitlines()[-1]
    assert "`snakemake download`" in refused.stderr

    monkeypatch.setattr(handler, "gone", None)
    assert run(tmp_path, address, "download", small_grid().grid_spec("download").canonical(), "data").returncode == 0
    assert download.missing(small_grid(), ["tg"], [], tokenizer=False) == []


def test_a_connection_that_breaks_off_leaves_no_half_file(hub, tmp_path):
    root, address, handler = hub
    handler.cut["train.jsonl"] = 100_000
    handler.requests.clear()
    assert run(tmp_path, address, "download", small_grid().grid_spec("download").canonical(), "data").returncode == 0
    name = "nvidia/OpenMathInstruct-1/correct_solutions/train.jsonl"
    tries = [
        path
        for method, path, _ in handler.requests
        if method == "GET" and path.endswith("correct_solutions/train.jsonl")
    ]
    assert len(tries) == 2
    assert (tmp_path / "data" / name).read_bytes() == (root / name).read_bytes()


def test_a_source_that_was_not_downloaded_is_streamed(hub, tmp_path):
    """Parquet by whole files, JSON lines from the middle of one: a shard reads its own part."""
    _, address, handler = hub
    train_bpe(["def q0123"], 300).save_pretrained(tmp_path / "tokenizer")
    for source in ("tg", "omi1"):
        spec = small_grid().shard_spec(source, 1).canonical() | {"tokenizer": "tokenizer", "held_out_documents": 0}
        spec["settings"]["shards"] = 2
        handler.requests.clear()
        made = run(tmp_path, address, "tokenize_corpus", spec, source)
        assert made.returncode == 0, made.stderr
        manifest = json.loads((tmp_path / source / "shards/00001-of-00002.json").read_text())
        assert [origin["commit"] for origin in manifest["hub"]] == [stub_hub.COMMIT]
        assert manifest["documents"] == {"tg": 25, "omi1": 150}[source]
        if source == "omi1":
            ranges = [found for _, path, found in handler.requests if path.endswith("train.jsonl") and found]
            assert ranges
            assert all(int(found.removeprefix("bytes=").split("-")[0]) > 100_000 for found in ranges)


def test_a_repository_that_is_not_there_is_one_line(hub, tmp_path):
    _, address, _ = hub
    spec = small_grid().grid_spec("download").canonical()
    spec["grid"]["corpora"]["tg"]["dataset"] = "metamathqa"
    failed = run(tmp_path, address, "download", spec, "data")
    assert failed.returncode == 1
    line = failed.stderr.strip().splitlines()[-1]
    assert "the repository meta-math/MetaMathQA (main) cannot be listed (RepositoryNotFoundError" in line


def test_missing_names_only_what_is_about_to_be_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(download, "unreachable", lambda: "no network")
    (tmp_path / "data/TinyGSM/TinyGSM/data").mkdir(parents=True)
    (tmp_path / "data/TinyGSM/TinyGSM/data/train-00000-of-00001.parquet").write_bytes(b"")
    grid = paper(**{"corpora/omi2/path": "my/omi2"})
    lines = download.missing(grid, ["tg", "omi1", "omi2"], [("gsm8k", "test")], tokenizer=False)
    assert [line.split(":")[0] for line in lines] == ["corpora.omi2", "corpora.omi1", "question_sets.gsm8k"]
    assert "found no data/train*.parquet in my/omi2 (nothing there)" in lines[0]
    assert "no network" in lines[1]
    assert "it fills data/nvidia/OpenMathInstruct-1" in lines[1]
    assert download.missing(grid, ["tg"], [], tokenizer=False) == []
    assert download.missing(grid, [], [], tokenizer=True)[0].startswith("tokenizer.path: found no folder")


def test_imported_models_are_wanted_unless_they_are_folders(tmp_path, monkeypatch):
    study = {"title": "?", "models": ["released", "own"], "benchmarks": ["gsm8k"]}
    models = {"released": {"import": "someone/model", "revision": "v1"}, "own": {"import": str(tmp_path)}}
    grid = paper(models=models, studies={"one": study})
    wants = download.wanted_models(grid)
    assert {(want.key, want.repository, want.kind, want.revision) for want in wants} == {
        ("models.released", "someone/model", "model", "v1")
    }
    names = ["config.json", "tokenizer.model", "merges.txt", "model.safetensors", "pytorch_model.bin", "README.md"]
    found = [path for want in wants for path in chosen(want, dict.fromkeys(names, 1))]
    assert sorted(found) == ["config.json", "merges.txt", "model.safetensors", "tokenizer.model"]
    monkeypatch.setattr(download, "unreachable", lambda: "no network")
    (line,) = download.missing(grid, [], [], tokenizer=False, models=True)
    (tmp_path / "model-00001-of-00002.safetensors").write_bytes(b"")
    half, nowhere = download.missing(grid, [], [], tokenizer=False, models=True)
    assert half.startswith(f"models.own: found 1 of 2 files model-*-of-00002.safetensors in {tmp_path}, ")
    assert nowhere == line
    assert line.startswith("models.released.import: found no folder someone/model or data/someone/model")
    assert download.missing(grid, [], [], tokenizer=False) == []
