"""MATH: competition problems; its own test split is left to MATH-500, which is a part of it."""

from echochamber.datasets.dataset import HubQuestionSet

QUESTIONS = HubQuestionSet(
    repository="EleutherAI/hendrycks_math",
    patterns={"train": ("*/train-*.parquet", "train.jsonl")},
    question=(("problem",),),
    gold=("solution",),
    licence="MIT",
    gold_form="in_the_last_box",
    sizes={"train": 7500},
    characters=196,
)
