"""Which files from outside the grid stand in which specs."""

from pathlib import Path

import pytest

from echochamber.data.inputs import vouched
from echochamber.grid import parsing
from echochamber.jobs.inputs import Contents

ROOT = Path(__file__).parents[3]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working folder with a few of the files that the paper's grid reads, and others beside them."""
    monkeypatch.chdir(tmp_path)
    for name in (
        "data/TinyGSM/TinyGSM/data/train-00000-of-00001.parquet",
        "data/TinyGSM/TinyGSM/README.md",
        "data/openai/gsm8k/main/train-00000-of-00001.parquet",
        "data/openai/gsm8k/main/test-00000-of-00001.parquet",
        "data/someone/model/model.safetensors",
        "data/someone/model/config.json",
        "data/someone/model/pytorch_model.bin",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path


@pytest.fixture
def grid():
    """The paper's grid with an imported model that RL trains."""
    config = parsing.read(ROOT / "config/paper.yaml")
    algorithm, prompts, benchmark = (next(iter(config[key])) for key in ("algorithms", "prompts", "benchmarks"))
    config["models"] = {"released": {"import": "someone/model"}}
    config["studies"]["imported"] = {"title": "?", "models": ["released"], "algorithms": [algorithm]}
    config["studies"]["imported"] |= {"prompts": [prompts], "benchmarks": [benchmark]}
    return parsing.parse(config, "paper.yaml")


def inputs(spec) -> set[str]:
    return set(vouched(spec, Contents(None)).inputs)


TINYGSM = "data/TinyGSM/TinyGSM/data/train-*.parquet"
MODEL = {"data/someone/model/*.safetensors", "data/someone/model/*.[jtm][sxo][otd]*"}


def test_each_job_has_the_files_that_it_reads(here, grid):
    run = next(run for run in grid.runs.values() if run.model.imported)
    trained = next(run for run in grid.runs.values() if not run.model.imported)
    assert inputs(grid.shard_spec("tg", 0)) == inputs(grid.contamination_spec("tg", 0)) == {TINYGSM}
    assert inputs(grid.questions_spec("gsm8k", "test")) == {"data/openai/gsm8k/main/test-*.parquet"}
    assert inputs(grid.posttrain_spec(run)) == inputs(grid.probe_spec(grid.probe(run))) == MODEL
    assert inputs(grid.evaluate_spec(run.model, "gsm8k")) == MODEL
    for spec in (
        grid.evaluate_spec(run, "gsm8k"),
        grid.posttrain_spec(trained),
        grid.pretrain_spec(trained.model),
        grid.corpus_spec("tg"),
        grid.grid_spec("tables"),
    ):
        assert vouched(spec, Contents(None)).text() == spec.text()


def test_a_source_that_is_streamed_or_elsewhere_has_none(here, grid):
    for spec in (grid.shard_spec("omi1", 0), grid.tokenizer_spec(), grid.questions_spec("math", "train")):
        assert vouched(spec, Contents(None)).text() == spec.text()
    source = grid.file.corpora["tg"]
    for path in ("hf://datasets/owner/name", "s3://bucket/tinygsm"):
        settings = source.model_copy(update={"path": path})
        assert inputs(grid.shard_spec("tg", 0).model_copy(update={"settings": settings})) == set()


def test_the_text_changes_with_what_is_read_and_with_nothing_else(here, grid):
    def text():
        return vouched(grid.shard_spec("tg", 0), Contents(None)).text()

    before = text()
    (here / "data/TinyGSM/TinyGSM/README.md").write_text("other words")
    assert text() == before
    (here / "data/TinyGSM/TinyGSM/data/train-00000-of-00001.parquet").write_text("other rows")
    assert text() != before


def test_a_trained_tokenizer_has_the_sources_that_it_is_trained_on(here, grid):
    spec = grid.tokenizer_spec()
    config = parsing.read(ROOT / "config/paper.yaml") | {"tokenizer": {"kind": "bpe", "vocabulary": 400}}
    assert inputs(parsing.parse(config, "paper.yaml").tokenizer_spec()) == {TINYGSM}
    assert inputs(spec) == set()
    (here / "data" / spec.settings.path).mkdir(parents=True)
    (here / "data" / spec.settings.path / "tokenizer.json").write_text("{}")
    assert f"data/{spec.settings.path}/*token*" in inputs(spec)
