"""Estimators, intervals and tests. Pure: numpy and scipy."""
