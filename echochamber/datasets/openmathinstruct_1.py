"""OpenMathInstruct-1: questions of GSM8K and MATH, solved with code."""

from echochamber.datasets.dataset import HubCorpus

CORPUS = HubCorpus(  # its 1.8M right solutions are those of train.jsonl (1.33 of 1.53 GB) and validation.jsonl
    "nvidia/OpenMathInstruct-1",
    ("correct_solutions/train.jsonl*",),
    ("question", "generated_solution"),
    "NVIDIA licence (Apache-2.0 carrier)",
    documents=1.57e6,
    characters=583,
)
