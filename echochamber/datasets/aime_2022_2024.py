"""AIME of 2022 to 2024, all 90 problems, of which the file of 1983-2024 lacks 17."""

from echochamber.datasets.dataset import HubQuestionSet

QUESTIONS = HubQuestionSet(
    repository="AI-MO/aimo-validation-aime",
    patterns={"test": ("data/train-*.parquet", "AIME_Dataset_1983_2024.csv", "aime_1983_2024.csv")},
    question=(("problem",), ("Question",)),
    gold=("answer", "Answer"),
    licence="carrier Apache-2.0; problems (c) MAA, for evaluation only",
    gold_form="as_it_stands",
    sizes={"test": 90},
    characters=340,
)
