"""AIME of 1983 to 2024."""

from echochamber.datasets.dataset import HubQuestionSet

QUESTIONS = HubQuestionSet(
    repository="di-zhang-fdu/AIME_1983_2024",
    patterns={"test": ("AIME_Dataset_1983_2024.csv", "aime_1983_2024.csv")},
    question=(("Question",),),
    gold=("Answer",),
    licence="carrier MIT; problems (c) MAA, for evaluation only",
    gold_form="as_it_stands",
    sizes={"test": 933},
    characters=340,
)
