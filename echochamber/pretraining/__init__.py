"""Pretraining from scratch: the loop, its loss, its batches."""
