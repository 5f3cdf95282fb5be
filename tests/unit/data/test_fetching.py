"""Files of the hub: several at a time, resumed within a file after a kill or a stop, checked, on a disk with room."""

import hashlib
import shutil
import subprocess
import time
from dataclasses import replace

import pytest
import stub_hub
from hub_download import call, run, small_grid

from echochamber.data import fetching
from echochamber.data.fetching import Wish
from echochamber.errors import UserError
from echochamber.jobs.downloads import File

CHUNK = 10 * 2**20
"""Bytes that huggingface_hub writes at once."""
STALLED = CHUNK + 1000
NAME = "nvidia/OpenMathInstruct-1/correct_solutions/train.jsonl"


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """What the small grid reads, one file of it large."""
    root = tmp_path_factory.mktemp("hub")
    contents = {
        "TinyGSM/TinyGSM/data/train-00000-of-00002.parquet": b"one file",
        "TinyGSM/TinyGSM/data/train-00001-of-00002.parquet": b"and another",
        "openai/gsm8k/main/test-00000-of-00001.parquet": b"a third",
        NAME: b"0123456789abcdef" * (CHUNK // 10),
    }
    for path, content in contents.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    with stub_hub.serve(root) as (address, handler):
        yield root, address, handler


def start(folder, address, **pipes):
    command, environment = call(folder, address, "download", small_grid().grid_spec("download").canonical(), "data")
    return subprocess.Popen(command, cwd=folder, env=environment, **pipes)


def wait_until(true, process):
    give_up = time.monotonic() + 60
    while not true():
        assert process.poll() is None
        assert time.monotonic() < give_up
        time.sleep(0.05)


def parts(folder):
    """Sizes of what is there of files that are not whole."""
    return [path.stat().st_size for path in folder.glob("data/*/*/.download/*/*")]


QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def test_a_killed_download_goes_on_within_the_file(hub, tmp_path, monkeypatch):
    root, address, handler = hub
    monkeypatch.setitem(handler.stall, "train.jsonl", STALLED)
    killed = start(tmp_path, address, **QUIET)
    wait_until(lambda: sum(parts(tmp_path)) >= CHUNK, killed)
    killed.kill()
    killed.wait()
    handler.stall.clear()
    handler.requests.clear()
    again = run(tmp_path, address, "download", small_grid().grid_spec("download").canonical(), "data")
    assert again.returncode == 0, again.stderr
    asked = [range for method, path, range in handler.requests if method == "GET" and path.endswith("s/train.jsonl")]
    assert asked == [f"bytes={CHUNK}-"]
    assert (tmp_path / "data" / NAME).read_bytes() == (root / NAME).read_bytes()
    assert parts(tmp_path) == []


def test_a_download_stops_when_asked_to_and_keeps_what_is_there(hub, tmp_path, monkeypatch):
    _, address, handler = hub
    monkeypatch.setitem(handler.stall, "train.jsonl", STALLED)
    stopped = start(tmp_path, address, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    wait_until(lambda: sum(parts(tmp_path)) >= CHUNK, stopped)
    stopped.terminate()
    _, said = stopped.communicate(timeout=30)
    handler.stall.clear()
    assert stopped.returncode == 75
    assert "interrupted (3 of 4 files fetched); saved, the same command goes on from there" in said
    assert parts(tmp_path) == [CHUNK]


def test_files_are_fetched_several_at_a_time(hub, tmp_path, monkeypatch):
    """The one that stands still does not keep the others from coming."""
    _, address, handler = hub
    monkeypatch.setitem(handler.stall, "train.jsonl", 10)
    slow = start(tmp_path, address, **QUIET)
    others = ("TinyGSM/TinyGSM/data/train-00001-of-00002.parquet", "openai/gsm8k/main/test-00000-of-00001.parquet")
    wait_until(lambda: all((tmp_path / "data" / path).exists() for path in others), slow)
    handler.stall.clear()
    slow.kill()
    slow.wait()


def test_tokenizer_and_imported_models_come_with_the_rest_the_tokenizer_first(tmp_path):
    root = tmp_path / "hub"
    for path in ("openai/gsm8k/main/test-00000-of-00001.parquet", "a/llama/tokenizer.json", "a/model/config.json"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path)
    (root / "a/model/model.safetensors").write_bytes(b"weights")
    spec = small_grid().grid_spec("download").canonical()
    spec["grid"] |= {"tokenizer": {"kind": "hub", "path": "a/llama"}, "mixtures": {}, "corpora": {}, "scales": {}}
    spec["grid"] |= {"models": {"theirs": {"import": "a/model"}}}
    spec["grid"]["studies"] = {"s": {"title": "?", "models": ["theirs"], "benchmarks": ["gsm8k"]}}
    with stub_hub.serve(root) as (address, handler):
        done = run(tmp_path, address, "download", spec, "data")
        assert done.returncode == 0, done.stderr
        listed = [path for _, path, _ in handler.requests if "/tree/" in path]
    assert [path.split("/tree/")[0].removeprefix("/api/") for path in listed] == [
        "models/a/llama",
        "datasets/openai/gsm8k",
        "models/a/model",
    ]
    for path in ("a/llama/tokenizer.json", "a/model/config.json", "a/model/model.safetensors"):
        assert (tmp_path / "data" / path).read_bytes() == (root / path).read_bytes()


def test_a_disk_that_is_too_small_is_said_before_the_first_file(tmp_path, monkeypatch):
    wish = Wish("corpora.a", "o/a", "dataset", "x", File(300 * 10**9, "id", "c"), tmp_path / "data/o/a")
    small = shutil._ntuple_diskusage(10**12, 10**12, 120 * 10**9)
    monkeypatch.setattr(fetching.shutil, "disk_usage", lambda folder: small)
    with pytest.raises(UserError, match=r"data: found 120.0 GB free on the disk of .*, allowed: the 300.0 GB that"):
        fetching.refuse_full_disk(tmp_path / "data", [wish])
    wish.part.parent.mkdir(parents=True)
    with wish.part.open("wb") as part:
        part.truncate(200 * 10**9)  # of which nothing is on the disk
    fetching.refuse_full_disk(tmp_path / "data", [wish])


def test_contents_that_are_not_those_of_the_listing_are_refused(tmp_path, monkeypatch):
    wish = Wish("corpora.a", "o/a", "dataset", "x", File(4, "0" * 64, "c"), tmp_path)
    monkeypatch.setattr("huggingface_hub.file_download.http_get", lambda url, out, **_: out.write(b"1234"))
    with pytest.raises(UserError, match=r"corpora\.a: found other contents in .*x than the listing of o/a says"):
        list(fetching.fetch_all([wish], lambda: False))
    assert not wish.part.exists()
    right = replace(wish, file=File(4, hashlib.sha256(b"1234").hexdigest(), "c"))
    assert list(fetching.fetch_all([right], lambda: False)) == [right]
    assert (tmp_path / "x").read_bytes() == b"1234"
