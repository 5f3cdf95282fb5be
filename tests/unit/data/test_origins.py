"""The commits of what jobs read of the hub stand beside what they made of it."""

import json

import pytest
from hub_download import ROOT

from echochamber.corpora.documents import Document
from echochamber.data import origins
from echochamber.data.shards import write_manifest, write_shard
from echochamber.data.tokenizer import train_bpe
from echochamber.grid import parsing
from echochamber.jobs.downloads import File, write_listing


@pytest.fixture
def downloaded(tmp_path, monkeypatch):
    """Listings as `snakemake download` writes them."""
    monkeypatch.chdir(tmp_path)
    for repository, path in {
        "TinyGSM/TinyGSM": "data/train-00000-of-00001.parquet",
        "openai/gsm8k": "main/test-00000-of-00001.parquet",
        "someone/llama": "tokenizer.json",
        "someone/model": "model.safetensors",
    }.items():
        write_listing(tmp_path / "data" / repository, {path: File(1, "id", f"commit of {repository}")})


def origin(repository, revision="main"):
    return {"hub": [{"repository": repository, "revision": revision, "commit": f"commit of {repository}"}]}


def test_each_job_names_the_commits_of_what_it_reads(downloaded):
    config = parsing.read(ROOT / "config/paper.yaml")
    config["tokenizer"]["path"] = "someone/llama"
    config["models"] = {"released": {"import": "someone/model", "revision": "v1"}}
    config["studies"]["imported"] = {"title": "?", "models": ["released"], "algorithms": ["ppo"], "prompts": ["gsm8k"]}
    config["studies"]["imported"] |= {"benchmarks": ["gsm8k"]}
    grid = parsing.parse(config, "paper.yaml")
    of_theirs, of_ours = (
        next(r for r in grid.runs.values() if bool(r.model.imported) is imported) for imported in (True, False)
    )
    assert origins.of(grid.tokenizer_spec()) == origin("someone/llama")
    assert origins.of(grid.shard_spec("tg", 0)) == origin("TinyGSM/TinyGSM")
    assert origins.of(grid.questions_spec("gsm8k", "test")) == origin("openai/gsm8k")
    assert origins.of(grid.posttrain_spec(of_theirs)) == origin("someone/model", "v1")
    assert origins.of(grid.evaluate_spec(of_theirs.model, "gsm8k")) == origin("someone/model", "v1")
    assert origins.of(grid.probe_spec(grid.probe(of_theirs))) == origin("someone/model", "v1")
    assert origins.of(grid.posttrain_spec(of_ours)) == {}
    assert origins.of(grid.corpus_spec("tg")) == {}
    demo = parsing.load(ROOT / "config/demo.yaml")
    assert origins.of(demo.tokenizer_spec()) == origins.of(demo.shard_spec(demo.corpora[0], 0)) == {}


def test_a_folder_of_the_users_own_has_no_commit(downloaded, tmp_path):
    config = parsing.read(ROOT / "config/paper.yaml")
    (tmp_path / "mine").mkdir()
    config["corpora"]["tg"]["path"] = str(tmp_path / "mine")
    assert origins.of(parsing.parse(config, "paper.yaml").shard_spec("tg", 0)) == {}


def test_a_manifest_has_the_commits_of_its_shards(tmp_path):
    tokenizer = train_bpe(["a b"], 300).backend_tokenizer
    for shard, about in enumerate((origin("a/b"), origin("a/b"), {})):
        write_shard(iter([Document("a b", "x")]), tokenizer, 2, tmp_path, shard, 3, about=about)
    assert write_manifest(tmp_path, 3, 0)["hub"] == origin("a/b")["hub"]
    assert json.loads((tmp_path / "manifest.json").read_text())["hub"] == origin("a/b")["hub"]
    write_shard(iter([Document("a b", "x")]), tokenizer, 2, tmp_path / "own")
    assert "hub" not in write_manifest(tmp_path / "own", 1, 0)
