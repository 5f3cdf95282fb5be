"""The version of every stage of the grid.

Raise a number when a change of the code changes results: it is part of the stage's spec, so its jobs
and what hangs on them run again. (Snakemake sees changes of the scripts, not of the library that they call.)
"""

VERSIONS = {
    "tokenizer": 1,  # echochamber/tokens.py
    "corpus": 2,  # echochamber/corpora, echochamber/shards.py
    "contamination": 1,  # echochamber/contamination.py
    "questions": 1,  # echochamber/corpora
    "mixture": 1,  # echochamber/mixture.py
    "pretrain": 2,  # echochamber/pretrain.py, echochamber/loss.py, echochamber/model.py
    "posttrain": 1,  # echochamber/rl, echochamber/generate.py, echochamber/verify
    "evaluate": 1,  # echochamber/evaluate.py, echochamber/generate.py, echochamber/verify
    "tables": 2,  # echochamber/analysis/tables.py, echochamber/metrics.py
    "judge": 1,  # echochamber/judge.py, echochamber/analysis/judged.py
    "claims": 2,  # echochamber/analysis/claims.py
    "figure": 2,  # echochamber/figures
    "report": 2,  # echochamber/analysis/report.py
    "download": 1,  # echochamber/download.py
    "mixtures": 1,  # echochamber/mixture.py
    "status": 1,  # echochamber/status.py
    "plan": 1,  # echochamber/planning/plan.py
}
