"""TinyGSM: grade-school questions, solved by Python functions."""

from echochamber.datasets.dataset import HubCorpus

CORPUS = HubCorpus(
    "TinyGSM/TinyGSM",
    ("data/train-*.parquet", "data/[!tv]*.parquet", "train.jsonl*"),
    ("question", "code"),
    "MIT",
    documents=12.3e6,
    tokens=2.67e9,
)
