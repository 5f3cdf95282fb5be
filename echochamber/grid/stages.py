"""The version of every stage of the grid.

Raise a number when a change of the code changes results: it is part of the stage's spec, so its jobs
and what hangs on them run again. (Snakemake sees changes of the scripts, not of the library that they call.)
"""

VERSIONS = {
    "tokenizer": 1,  # echochamber/data/tokenizer.py
    "corpus": 2,  # echochamber/corpora, echochamber/data/shards.py
    "contamination": 1,  # echochamber/data/contamination.py
    "questions": 1,  # echochamber/corpora
    "mixture": 1,  # echochamber/data/mixture.py
    "pretrain": 3,  # echochamber/pretraining, echochamber/models
    "posttrain": 6,  # echochamber/rl, echochamber/sampling/generate.py, echochamber/verify
    "evaluate": 3,  # echochamber/evaluation/evaluate.py, echochamber/sampling/generate.py, echochamber/verify
    "measure": 2,  # echochamber/analysis/tables/measure.py, echochamber/stats/metrics.py
    "label": 2,  # echochamber/behaviours, echochamber/analysis/behaviours/measure.py
    "behaviours": 2,  # echochamber/analysis/behaviours/join.py
    "tables": 6,  # echochamber/analysis/tables/join.py, echochamber/analysis/theory
    "judge": 3,  # echochamber/evaluation/judge.py, echochamber/analysis/tables/judged.py
    "forecast": 2,  # echochamber/analysis/tables/forecasts.py
    "claims": 9,  # echochamber/analysis/claims/claims.py
    "figure": 7,  # echochamber/figures
    "report": 8,  # echochamber/report/page.py
    "download": 1,  # echochamber/data/download.py
    "mixtures": 1,  # echochamber/data/mixture.py
    "status": 1,  # echochamber/grid/status.py
    "show_prompt": 1,  # echochamber/sampling/prompts.py
    "plan": 1,  # echochamber/planning/plan.py
}

SCRIPTS = {
    "tokenizer": ("train_tokenizer",),
    "corpus": ("tokenize_corpus", "join_corpus"),
    "contamination": ("find_questions", "show_contamination"),
    "questions": ("make_questions",),
    "mixture": ("make_mixture",),
    "pretrain": ("pretrain",),
    "posttrain": ("posttrain",),
    "evaluate": ("evaluate_checkpoints",),
    "measure": ("measure_evaluation",),
    "label": ("label_evaluation",),
    "behaviours": ("join_behaviours", "forecast_behaviours"),
    "tables": ("join_study", "make_tables"),
    "judge": ("judge_errors",),
    "forecast": ("make_forecast",),
    "claims": ("judge_claims",),
    "figure": ("draw_figure", "typeset_figure"),
    "report": ("write_report",),
}
"""The scripts of the stages that leave results behind; the others are done whenever they are asked for."""
