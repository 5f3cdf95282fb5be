"""Public datasets, one file each: corpora to pretrain on, and question sets to train on and to measure.

`NAMES` is their registry: a module of this package, with `_` for `-`, holds a `CORPUS`, `QUESTIONS`, or both.
"""

from __future__ import annotations

from importlib import import_module

from echochamber.datasets.dataset import GoldForm, HubCorpus, HubQuestionSet, QuestionColumns, split_files

__all__ = [
    "CORPORA",
    "NAMES",
    "QUESTION_SETS",
    "GoldForm",
    "HubCorpus",
    "HubQuestionSet",
    "QuestionColumns",
    "split_files",
]

NAMES = (
    "finemath-3plus",
    "algebraic-stack",
    "tinygsm",
    "openmathinstruct-1",
    "openmathinstruct-2",
    "openmathinstruct-2-all",
    "metamathqa",
    "gsm8k-train",
    "gsm8k",
    "math",
    "math-500",
    "aime-1983-2024",
    "aime-2022-2024",
    "svamp",
)
_MODULES = {name: import_module(f"echochamber.datasets.{name.replace('-', '_')}") for name in NAMES}
CORPORA: dict[str, HubCorpus] = {name: module.CORPUS for name, module in _MODULES.items() if hasattr(module, "CORPUS")}
QUESTION_SETS: dict[str, HubQuestionSet] = {
    name: module.QUESTIONS for name, module in _MODULES.items() if hasattr(module, "QUESTIONS")
}
