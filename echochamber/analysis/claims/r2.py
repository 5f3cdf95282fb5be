"""R2 (Shao et al. 2025, arXiv 2506.10947, figure 1): the reward `boxed`."""

from __future__ import annotations

from echochamber.analysis.claims.spurious import claim

CLAIM = claim(
    "R2", "boxed", "Rewards for a box, whatever is in it, raise accuracy, by at least a quarter of what true rewards do"
)
