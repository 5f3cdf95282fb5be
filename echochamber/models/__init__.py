"""Architectures, imported models, forward passes, checkpoints, devices, processes."""
