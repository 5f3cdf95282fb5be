"""FineMath 3+: mathematical pages of the web."""

from echochamber.datasets.dataset import HubCorpus

CORPUS = HubCorpus(
    "HuggingFaceTB/finemath",
    ("finemath-3plus/train-*.parquet",),
    ("text",),
    "ODC-By 1.0 (texts: their owners')",
    tokens=41.4e9,
)
