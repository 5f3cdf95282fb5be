"""Samples of checkpoints, and the optional judge of errors."""
