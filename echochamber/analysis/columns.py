"""Columns that tables share."""

AXES = ("mixture", "scale", "model_seed", "algorithm", "prompts", "run_seed")
"""Of a model or a run, beside its id."""
ESTIMATE = ("estimate", "low", "high", "n_questions", "n_samples", "n_seeds")
"""Of a measurement."""
