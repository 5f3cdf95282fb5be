"""Every mistake in a grid file is refused in one line that names file, key, value found and values allowed."""

import copy
from pathlib import Path

import pytest

from echochamber.grid import parsing

CONFIG = Path(__file__).parents[3] / "config"
THREE = Path(__file__).parents[2] / "support/grids/three_formats.yaml"
GRID = parsing.read(THREE)


def at(config: dict, *keys: str) -> dict:
    for key in keys:
        config = config[key]
    return config


MISTAKES = {
    "unknown key": ((), "klip", 1, ["klip", "unknown key", "algorithms, background"]),
    "unknown key, deeper": (
        ("algorithms", "ei", "sampling"),
        "temp",
        1,
        ["sampling.temp", "max_new_tokens, temperature"],
    ),
    "unknown kind": (("algorithms", "ppo"), "kind", "dpo", ["algorithms.ppo.kind", "'dpo'", "'rloo'"]),
    "zero size": (("scales", "nano"), "layers", 0, ["scales.nano.layers", "found 0", "greater than 0"]),
    "heads": (("scales", "nano"), "heads", 5, ["scales.nano", "found 5", "divisor of the width 64"]),
    "odd heads": (("scales", "nano"), "heads", 64, ["scales.nano", "found 64", "even"]),
    "k1 as a loss": (
        ("algorithms", "grpo"),
        "kl",
        {"place": "loss", "estimator": "k1", "coefficient": 0.1},
        ["algorithms.grpo.kl", "found k1", "k2, k3", "zero in expectation"],
    ),
    "k3 in the reward": (
        ("algorithms", "ppo"),
        "kl",
        {"place": "reward", "estimator": "k3", "coefficient": 0.1},
        ["found k3", "allowed: k1"],
    ),
    "a coefficient of nothing": (("algorithms", "ppo"), "kl", {"coefficient": 0.1}, ["found 0.1 with place none"]),
    "a place without a coefficient": (
        ("algorithms", "ppo"),
        "kl",
        {"place": "reward"},
        ["found 0.0 with place reward"],
    ),
    "a group of one": (("algorithms", "grpo"), "samples_per_prompt", 1, ["found 1", "at least 2"]),
    "update batch": (("algorithms", "grpo"), "update_batch", 100, ["found 100", "divisor of the 256"]),
    "reward": (("algorithms", "grpo"), "reward", "format:latex", ["format:latex", "format:omi2"]),
    "a reward of before": (("algorithms", "grpo"), "reward", "correct", ["found 'correct'", "executed (", "written ("]),
    "the scorer of before": (("algorithms", "grpo"), "reward", "strict", ["found 'strict'", "executed (", "written ("]),
    "truncated": (("algorithms", "grpo"), "truncated", "maybe", ["algorithms.grpo.", "maybe", "'wrong' or 'judged'"]),
    "study names nothing": (("studies", "kl"), "mixtures", ["tg+x"], ["studies.kl.mixtures", "'tg+x'", "tg+omi1+omi2"]),
    "name twice": (("studies", "kl"), "scales", ["nano", "nano"], ["studies.kl", "twice"]),
    "figure": (("studies", "kl"), "figures", ["pie"], ["studies.kl.figures", "'pie'", "'formats'"]),
    "no axes": (("studies", "kl"), "algorithms", [], ["studies.kl", "both or neither"]),
    "a name that is no path": (("scales",), "../x", {}, ["scales", "'../x'", "letters"]),
    "source of a mixture": (
        ("mixtures", "tg+2xomi1"),
        "passes",
        {"tg": 1},
        ["mixtures.tg+2xomi1.passes", "'tg'", "tinygsm"],
    ),
    "background twice": (("mixtures", "tg+2xomi1"), "passes", {"prose": 1}, ["'prose'", "background already"]),
    "zero passes": (("mixtures", "tg+2xomi1"), "passes", {"omi1": 0}, ["passes.omi1", "found 0"]),
    "more prompts than questions": (("prompts", "synth-gsm"), "count", 10**6, ["prompts.synth-gsm.count", "1000000"]),
    "a start that is not kept": (("studies", "kl"), "from_step", 7, ["studies.kl.from_step", "found 7"]),
    "wrong background": (("corpora", "prose"), "wrong", 0.1, ["corpora.prose", "no answer"]),
    "steps": (
        ("corpora", "omi1"),
        "problems",
        {"steps": [3, 1]},
        ["corpora.omi1.problems", "[3, 1]", "smallest first"],
    ),
    "share": (("corpora", "omi1"), "wrong", 1.5, ["corpora.omi1.wrong", "found 1.5", "less than or equal to 1"]),
    "yes for a number": (("scales", "nano"), "layers", True, ["scales.nano: layers: found True", "a number"]),
    "a number as text": (("scales", "nano"), "layers", "2", ["scales.nano: layers: found '2'", "a number"]),
    "a power as text": (("algorithms", "grpo"), "learning_rate", "1e-3", ["found '1e-3'", "write 1.0e-3"]),
    "infinity": (("algorithms", "grpo"), "learning_rate", float("inf"), ["grpo.learning_rate", "finite"]),
    "not a number": (("algorithms", "grpo"), "clip", float("nan"), ["grpo.clip", "nan"]),
    "a number for yes": ((), "decontaminate", 1, ["decontaminate", "found 1", "true or false"]),
    "text for yes": (("scales", "nano"), "tied", "yes", ["scales.nano: tied: found 'yes'", "true or false"]),
    "text in a list": (("pretraining",), "checkpoints", ["3"], ["pretraining: checkpoints: found '3'", "a number"]),
    "a formula as a title": (("studies", "kl"), "title", "$x", ["studies.kl", "title", "without $"]),
    "a formula as a world": ((), "world", "a $x$ world", ["world: found 'a $x$ world'", "without $"]),
    "a title of two lines": (("studies", "kl"), "title", "a\nb", ["studies.kl", "title: found 'a\\nb'", "in one line"]),
    "a long title": (("studies", "kl"), "title", "x" * 301, ["studies.kl", "title: found 'xxx", "up to 300"]),
    "warm-up beyond the end": (("pretraining",), "warmup_steps", 10**6, ["warmup_steps: found 1000000", "up to"]),
    "checkpoints beyond the end": (("pretraining",), "checkpoints", [10**6], ["checkpoints: found 1000000", "up to"]),
    "new tokens of a benchmark": (
        ("benchmarks", "synth-gsm"),
        "max_new_tokens",
        10**5,
        ["benchmarks.synth-gsm.max_new_tokens: found 100000", "sequence_length"],
    ),
    "all held out": (("pretraining",), "held_out_documents", 10**7, ["held_out_documents", "10000000", "fewer than"]),
    "batch of prompts": (
        ("algorithms", "grpo"),
        "prompts_per_batch",
        2**20,
        ["grpo.prompts_per_batch", "1048576", "up to the", "prompts.synth-gsm"],
    ),
    "new tokens": (("pretraining",), "sequence_length", 8, ["max_new_tokens", "sequence_length, 8"]),
    "a long name": (("scales",), "n" * 101, GRID["scales"]["nano"], ["scales", "100"]),
    "case twins": (("scales",), "NANO", GRID["scales"]["nano"], ["scales", "'NANO' beside 'nano'", "case"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_refused_in_one_line(mistake):
    keys, key, value, said = MISTAKES[mistake]
    config = copy.deepcopy(GRID)
    at(config, *keys)[key] = value
    with pytest.raises(parsing.GridError) as caught:
        parsing.parse(config, "my.yaml")
    line = str(caught.value).splitlines()[0]
    assert line.startswith("my.yaml: ")
    for part in said:
        assert part in line


def test_a_missing_key_is_named():
    config = {key: value for key, value in GRID.items() if key != "world"}
    with pytest.raises(parsing.GridError, match=r"my.yaml: world: found nothing"):
        parsing.parse(config, "my.yaml")


def test_a_key_that_stands_twice_is_refused(tmp_path):
    path = tmp_path / "grid.yaml"
    path.write_text("scales:\n  nano: {width: 64}\n  nano: {width: 32}\n")
    with pytest.raises(parsing.GridError, match="'nano' stands twice"):
        parsing.read(path)


@pytest.mark.parametrize("text", ["just text", "a: [1", ""])
def test_what_is_no_grid_file_is_refused(tmp_path, text):
    path = tmp_path / "grid.yaml"
    path.write_text(text)
    with pytest.raises(parsing.GridError, match=r"grid\.yaml"):
        parsing.read(path)


HOSTILE = {
    "latin-1": (b"name: caf\xe9\n", "line 1: found 0xe9, allowed: UTF-8"),
    "UTF-16": ("name: a".encode("utf-16"), "found 0xff, allowed: UTF-8"),
    "a date that is none": (b"name: 2024-99-99\n", "not YAML: month must be in 1..12"),
    "a number that is none": (b'name: !!int ""\n', "not YAML"),
    "5,000 digits": (b"name: " + b"1" * 5000, "not YAML"),
    "a list in itself": (b"a: &a [*a]\n", "not YAML: maximum recursion depth"),
    "deep lists": (b"[" * 100_000, "not YAML: maximum recursion depth"),
    "an object of Python": (b'a: !!python/object/apply:os.system ["true"]\n', "not YAML: could not determine"),
    "a mapping as a key": (b"{[1]: 2}", "not YAML"),
    "10^10 values by aliases": (
        b"a: &a [x,x,x,x,x,x,x,x,x,x]\nb0: &b0 [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
        + b"".join(b"b%d: &b%d [%s]\n" % (i, i, b",".join([b"*b%d" % (i - 1)] * 10)) for i in range(1, 9)),
        "found more than 100000 values",
    ),
    "a control character": (b"name: a\x00b", "not YAML"),
}


@pytest.mark.parametrize("content", HOSTILE)
def test_hostile_bytes_are_one_line(tmp_path, content):
    path = tmp_path / "grid.yaml"
    data, said = HOSTILE[content]
    path.write_bytes(data)
    with pytest.raises(parsing.GridError) as error:
        parsing.load(path)
    (line,) = str(error.value).splitlines()
    assert line.startswith(f"{path}: ")
    assert said in line
    assert line.isprintable()
    assert len(line) < 1100


def test_a_byte_order_mark_is_passed_over(tmp_path):
    path = tmp_path / "grid.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + THREE.read_bytes())
    assert parsing.read(path) == GRID


def test_a_missing_file_is_refused(tmp_path):
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(parsing.GridError, match="cannot be read"):
            parsing.read(path)


@pytest.mark.parametrize("path", sorted(CONFIG.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_grids_of_the_project_load(path):
    assert parsing.load(path).evaluations
