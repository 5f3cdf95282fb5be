"""MATH-500: a part of MATH's test split."""

from echochamber.datasets.dataset import HubQuestionSet

QUESTIONS = HubQuestionSet(
    repository="HuggingFaceH4/MATH-500",
    patterns={"test": ("test.jsonl",)},
    question=(("problem",),),
    gold=("answer",),
    licence="MIT",
    gold_form="as_it_stands",
    sizes={"test": 500},
    characters=196,
)
