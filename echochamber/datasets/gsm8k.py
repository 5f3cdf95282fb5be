"""GSM8K: grade-school word problems."""

from echochamber.datasets.dataset import HubQuestionSet

QUESTIONS = HubQuestionSet(
    repository="openai/gsm8k",
    patterns={split: (f"main/{split}-*.parquet", f"{split}.jsonl") for split in ("train", "test")},
    question=(("question",),),
    gold=("answer",),
    licence="MIT",
    gold_form="after_hashes",
    sizes={"train": 7473, "test": 1319},
    characters=235,
)
