"""MetaMathQA: questions of GSM8K and MATH in other words, solved in prose."""

from echochamber.datasets.dataset import HubCorpus

CORPUS = HubCorpus(
    "meta-math/MetaMathQA",
    ("MetaMathQA-395K.json", "train.jsonl*"),
    ("query", "response"),
    "MIT",
    documents=0.395e6,
    tokens=0.1e9,
)
