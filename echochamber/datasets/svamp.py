"""SVAMP: grade-school word problems in varied wordings."""

from echochamber.datasets.dataset import HubQuestionSet

QUESTIONS = HubQuestionSet(
    repository="ChilleD/SVAMP",
    patterns={split: (f"data/{split}-*.parquet", f"{split}.jsonl") for split in ("train", "test")},
    question=(("Body", "Question"),),
    gold=("Answer",),
    licence="MIT",
    gold_form="integral",
    sizes={"train": 700, "test": 300},
    characters=190,
)
