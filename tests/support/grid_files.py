"""Grid files as a hand might write them: valid ones of every kind, and the same with mistakes anywhere."""

from __future__ import annotations

import copy
import datetime
from typing import Any

from hypothesis import strategies as st

NAMES = st.sampled_from(["a", "b", "c+d", "A1", "x.y", "long-" + "n" * 60])

JUNK = st.one_of(
    st.sampled_from(
        [
            *(None, True, False, 0, 1, -1, 2, 3, 7, 10**6, 2**31, 2**63, 2**64, 10**30, -(10**30)),
            *(0.5, -0.5, 1e-320, 1e308, float("inf"), float("-inf"), float("nan"), "", " ", "yes", "1", "1e-3", "nan"),
            *(
                "../x",
                "/etc/passwd",
                "a/b",
                "a b",
                "$x$",
                "a\nb",
                "x" * 300,
                "\x00",
                "\x1b[31m",
                "\u202e",
                "é",
                "~",
                ".",
            ),
            *([], {}, [[]], [None], [1, "a"], {"a": 1}, {"kind": "ppo"}, {1: 2}, {"": ""}, [[[[]]]]),
            *(datetime.date(2024, 1, 1), b"bytes", "CON", "con", "-x", "tg", "TG", "a", "grpo", "synthetic", "hub"),
        ]
    ),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
)


@st.composite
def valid(draw: st.DrawFn) -> dict[str, Any]:
    """A small grid that loads, but where what was drawn for it contradicts itself."""
    problems = {"steps": [1, draw(st.integers(1, 3))], "numbers": [2, draw(st.sampled_from([20, 40]))]}
    corpora: dict[str, Any] = {
        name: {
            "kind": "synthetic",
            "style": draw(st.sampled_from(["tinygsm", "omi1", "omi2", "text"])),
            "documents": 60,
        }
        | draw(st.sampled_from([{}, {"problems": problems}, {"shards": 3}, {"max_tokens": 500}, {"wrong": 0.25}]))
        for name in draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
    }
    if draw(st.booleans()):
        corpora["prose"] = {"kind": "synthetic", "style": "arithmetic_prose", "documents": 40}
    if draw(st.booleans()):
        corpora["web"] = {"kind": "hub", "dataset": "finemath-3plus", "max_tokens": 10_000}
    sources = list(corpora)
    mixtures = {
        f"m{i}": {"passes": {s: draw(st.sampled_from([1, 2, 0.5])) for s in sources[: i + 1]}, "background": False}
        for i in range(draw(st.integers(1, 3)))
    }
    sampling = {"temperature": 1.0, "max_new_tokens": 64}
    gradient = {"prompts_per_batch": 4, "samples_per_prompt": 2, "update_batch": 8, "sampling": sampling}
    kinds = draw(
        st.lists(st.sampled_from(["ppo", "grpo", "rloo", "dr_grpo", "reinforce_baseline"]), min_size=1, max_size=2)
    )
    algorithms: dict[str, Any] = {f"{kind}{i}": {"kind": kind} | gradient for i, kind in enumerate(kinds)}
    if draw(st.booleans()):
        algorithms["kl"] = (
            {"kind": "grpo"}
            | gradient
            | {"kl": {"place": "loss", "estimator": draw(st.sampled_from(["k2", "k3"])), "coefficient": 0.1}}
        )
    if draw(st.booleans()):
        algorithms["ei"] = {"kind": "expert_iteration", "sampling": sampling, "prompts_per_iteration": 8}
    few = draw(st.booleans())
    study: dict[str, Any] = {
        "title": "What is it?",
        "mixtures": list(mixtures),
        "scales": ["s"],
        "model_seeds": list(range(draw(st.integers(1, 2)))),
        "algorithms": list(algorithms),
        "prompts": ["p"],
        "benchmarks": ["p", "hard"] if draw(st.booleans()) else ["p"],
        "figures": draw(st.lists(st.sampled_from(["formats", "passk", "mixtures", "errors", "transfer"]), unique=True)),
        "claims": draw(st.lists(st.sampled_from(["C1", "C2", "C4", "C14", "T1"]), unique=True)),
    }
    config: dict[str, Any] = {
        "name": "fuzz",
        "world": "made up",
        "hardware": {"device": draw(st.sampled_from(["CPU", "H100"]))},
        "tokenizer": {"kind": "bpe", "vocabulary": 400, "sources": sources[:1]},
        "corpora": corpora,
        "question_sets": {
            "q": {"kind": "synthetic", "train": 20, "test": 10, "problems": problems},
            "g": {"kind": "hub", "dataset": "gsm8k"},
        },
        "mixtures": mixtures,
        "scales": {"s": {"width": 16, "layers": 2, "heads": 2, "intermediate": 32}},
        "pretraining": {"sequence_length": 128, "batch_rows": 4, "warmup_steps": 2, "held_out_documents": 4}
        | draw(st.sampled_from([{}, {"checkpoints": [2, 4]}, {"packing": "document"}])),
        "algorithms": algorithms,
        "prompts": {"p": {"questions": "q"} | draw(st.sampled_from([{}, {"count": 10}]))},
        "benchmarks": {
            "p": {"questions": "q", "samples": 4, "max_new_tokens": 64},
            "hard": {"questions": "g", "samples": 2, "max_new_tokens": 64, "role": "hard"},
        },
        "studies": {"one": study},
    }
    if few:
        config["studies"]["base"] = {"title": "Bases", "mixtures": ["m0"], "scales": ["s"], "benchmarks": ["p"]}
    if draw(st.booleans()):
        config["models"] = {"theirs": {"import": "nowhere/at-all"}}
        config["studies"]["one"]["models"] = ["theirs"]
    return config


def places(config: Any, path: tuple = ()) -> list[tuple]:
    """The paths of all values inside."""
    if isinstance(config, dict):
        return [p for key, value in config.items() for p in ((*path, key), *places(value, (*path, key)))]
    if isinstance(config, list):
        return [p for i, value in enumerate(config) for p in ((*path, i), *places(value, (*path, i)))]
    return []


@st.composite
def mistaken(draw: st.DrawFn, most: int = 3) -> dict[str, Any]:
    """A valid grid with up to so many values replaced, removed, doubled, renamed or added."""
    config = copy.deepcopy(draw(valid()))
    for _ in range(draw(st.integers(0, most))):
        known = places(config)
        if not known:
            break
        *path, key = draw(st.sampled_from(known))
        holder = config
        for step in path:
            holder = holder[step]
        change = draw(st.sampled_from(["replace", "replace", "replace", "remove", "double", "rename", "add", "swap"]))
        if change == "replace":
            holder[key] = copy.deepcopy(draw(JUNK))
        elif change == "remove":
            del holder[key]
        elif change == "double" and isinstance(holder, list):
            holder.append(copy.deepcopy(holder[key]))
        elif change == "rename" and isinstance(holder, dict):
            holder[
                draw(st.sampled_from(["kidn", "A" * 250, "a/b", "é", key.upper() if isinstance(key, str) else "k"]))
            ] = holder.pop(key)
        elif change == "add" and isinstance(holder, dict):
            holder[draw(st.sampled_from(["kind", "seed", "count", "import", "kl", "extra"]))] = copy.deepcopy(
                draw(JUNK)
            )
        elif change == "swap":
            other = config
            *path, last = draw(st.sampled_from(known))
            for step in path:
                if not isinstance(other, dict | list) or (isinstance(other, dict) and step not in other):
                    break
                if isinstance(other, list) and not (isinstance(step, int) and step < len(other)):
                    break
                other = other[step]
            else:
                if isinstance(other, dict) and last in other:
                    holder[key] = copy.deepcopy(other[last])
    return config
