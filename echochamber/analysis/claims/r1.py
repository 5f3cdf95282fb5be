"""R1 (Shao et al. 2025, arXiv 2506.10947, figure 1): the reward `random`."""

from __future__ import annotations

from echochamber.analysis.claims.spurious import claim

CLAIM = claim("R1", "random", "Random rewards raise accuracy, by at least half of what true rewards do")
