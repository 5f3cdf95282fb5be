"""All files of OpenMathInstruct-2: its training split, and subsets of 1M, 2M and 5M rows that repeat rows of it."""

from echochamber.datasets.dataset import HubCorpus

CORPUS = HubCorpus(  # the authors' script reads `data/*.parquet`: these
    "nvidia/OpenMathInstruct-2",
    ("data/train*.parquet", "train*.jsonl*"),
    ("problem", "generated_solution"),
    "CC-BY-4.0",
    documents=21.97e6,
    characters=1371,
    beside="openmathinstruct-2",
)
