"""OpenMathInstruct-2: questions like those of GSM8K and MATH, solved in prose."""

from echochamber.datasets.dataset import HubCorpus

CORPUS = HubCorpus(  # train_1M-*, train_2M-*, train_5M-* repeat rows of train-*
    "nvidia/OpenMathInstruct-2",
    ("data/train-*.parquet", "train.jsonl*"),
    ("problem", "generated_solution"),
    "CC-BY-4.0",
    documents=13.97e6,
    characters=1371,
)
