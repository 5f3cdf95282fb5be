"""Every mistake in a grid file is refused in one line that names file, key, value found and values allowed."""

import copy
from pathlib import Path

import pytest

from echochamber import loading

CONFIG = Path(__file__).parents[2] / "config"
DEMO = loading.read(CONFIG / "demo.yaml")


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
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_refused_in_one_line(mistake):
    keys, key, value, said = MISTAKES[mistake]
    config = copy.deepcopy(DEMO)
    at(config, *keys)[key] = value
    with pytest.raises(loading.GridError) as caught:
        loading.parse(config, "my.yaml")
    line = str(caught.value).splitlines()[0]
    assert line.startswith("my.yaml: ")
    for part in said:
        assert part in line


def test_a_missing_key_is_named():
    config = {key: value for key, value in DEMO.items() if key != "world"}
    with pytest.raises(loading.GridError, match=r"my.yaml: world: found nothing"):
        loading.parse(config, "my.yaml")


def test_a_key_that_stands_twice_is_refused(tmp_path):
    path = tmp_path / "grid.yaml"
    path.write_text("scales:\n  nano: {width: 64}\n  nano: {width: 32}\n")
    with pytest.raises(loading.GridError, match="'nano' stands twice"):
        loading.read(path)


@pytest.mark.parametrize("text", ["just text", "a: [1", ""])
def test_what_is_no_grid_file_is_refused(tmp_path, text):
    path = tmp_path / "grid.yaml"
    path.write_text(text)
    with pytest.raises(loading.GridError, match=r"grid\.yaml"):
        loading.read(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(loading.GridError, match="cannot be read"):
        loading.read(tmp_path / "none.yaml")


@pytest.mark.parametrize("path", sorted(CONFIG.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_grids_of_the_project_load(path):
    assert loading.load(path).runs
