"""Where the paper's corpora and question sets lie on the Hugging Face hub, and which columns they have. Pure data.

The pages of the datasets say the same: `https://huggingface.co/datasets/<repository>`. Patterns are tried in order, and
the first one that matches any file counts; those after the first are the layouts of copies in other places. None
matches the test split of a benchmark for a corpus, a subset that repeats rows, or OpenMathInstruct-1's wrong solutions.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class HubCorpus:
    """A source of documents."""

    repository: str
    patterns: tuple[str, ...]
    """Of paths in the repository, as `fnmatch` reads them (`*` matches `/` as well)."""
    columns: tuple[str, ...]
    """A document is these columns, an empty line between them (the paper's format)."""
    licence: str


@dataclass(frozen=True)
class HubQuestionSet:
    """A source of questions with answers."""

    repository: str
    patterns: dict[str, tuple[str, ...]]
    """Of each split."""
    question: tuple[tuple[str, ...], ...]
    """Columns of the question, joined by a space; one tuple for each layout."""
    gold: tuple[str, ...]
    """Column of the answer, one for each layout; `question_sets.GOLDS` says how to read it."""
    licence: str


CORPORA = {
    "finemath-3plus": HubCorpus(
        "HuggingFaceTB/finemath", ("finemath-3plus/train-*.parquet",), ("text",), "ODC-By 1.0 (texts: their owners')"
    ),
    "algebraic-stack": HubCorpus(
        "EleutherAI/proof-pile-2",
        ("algebraic-stack/train/*.jsonl.zst",),
        ("text",),
        "each file that of the repository it comes from (permissive ones)",
    ),
    "tinygsm": HubCorpus(
        "TinyGSM/TinyGSM", ("data/train-*.parquet", "data/[!tv]*.parquet", "train.jsonl*"), ("question", "code"), "MIT"
    ),
    "openmathinstruct-1": HubCorpus(
        "nvidia/OpenMathInstruct-1",
        ("correct_solutions/train.jsonl*",),
        ("question", "generated_solution"),
        "NVIDIA licence (Apache-2.0 carrier)",
    ),
    "openmathinstruct-2": HubCorpus(  # train_1M-*, train_2M-*, train_5M-* repeat rows of train-*
        "nvidia/OpenMathInstruct-2",
        ("data/train-*.parquet", "train.jsonl*"),
        ("problem", "generated_solution"),
        "CC-BY-4.0",
    ),
    "metamathqa": HubCorpus(
        "meta-math/MetaMathQA", ("MetaMathQA-395K.json", "train.jsonl*"), ("query", "response"), "MIT"
    ),
    # Not of the paper: small, real, and with the questions that RL trains on.
    "gsm8k-train": HubCorpus("openai/gsm8k", ("main/train-*.parquet", "train.jsonl*"), ("question", "answer"), "MIT"),
}

QUESTION_SETS = {
    "gsm8k": HubQuestionSet(
        "openai/gsm8k",
        {split: (f"main/{split}-*.parquet", f"{split}.jsonl") for split in ("train", "test")},
        (("question",),),
        ("answer",),
        "MIT",
    ),
    "math": HubQuestionSet(  # seven folders of subjects, each with its train and its test file
        "EleutherAI/hendrycks_math",
        {"train": ("*/train-*.parquet", "train.jsonl")},
        (("problem",),),
        ("solution",),
        "MIT",
    ),
    "math-500": HubQuestionSet(
        "HuggingFaceH4/MATH-500", {"test": ("test.jsonl",)}, (("problem",),), ("answer",), "MIT"
    ),
    "aime-1983-2024": HubQuestionSet(
        "di-zhang-fdu/AIME_1983_2024",
        {"test": ("AIME_Dataset_1983_2024.csv", "aime_1983_2024.csv")},
        (("Question",),),
        ("Answer",),
        "carrier MIT; problems (c) MAA, for evaluation only",
    ),
    # The hub's has all 90 problems of the three years, of which the file of 1983-2024 lacks 17.
    "aime-2022-2024": HubQuestionSet(
        "AI-MO/aimo-validation-aime",
        {"test": ("data/train-*.parquet", "AIME_Dataset_1983_2024.csv", "aime_1983_2024.csv")},
        (("problem",), ("Question",)),
        ("answer", "Answer"),
        "carrier Apache-2.0; problems (c) MAA, for evaluation only",
    ),
    "svamp": HubQuestionSet(
        "ChilleD/SVAMP",
        {split: (f"data/{split}-*.parquet", f"{split}.jsonl") for split in ("train", "test")},
        (("Body", "Question"),),
        ("Answer",),
        "MIT",
    ),
}
