"""Algebraic Stack of Proof-Pile 2: mathematical code."""

from echochamber.datasets.dataset import HubCorpus

CORPUS = HubCorpus(
    "EleutherAI/proof-pile-2",
    ("algebraic-stack/train/*.jsonl.zst",),
    ("text",),
    "each file that of the repository it comes from (permissive ones)",
    tokens=12.2e9,
)
