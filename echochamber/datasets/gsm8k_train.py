"""GSM8K's training split as a corpus: not of the paper; small, real, with the questions that RL trains on."""

from echochamber.datasets.dataset import HubCorpus

CORPUS = HubCorpus(
    "openai/gsm8k",
    ("main/train-*.parquet", "train.jsonl*"),
    ("question", "answer"),
    "MIT",
    documents=7473,
    characters=524,
)
