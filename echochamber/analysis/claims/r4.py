"""R4 (Shao et al. 2025, arXiv 2506.10947, figure 1): the reward `wrong-label`."""

from __future__ import annotations

from echochamber.analysis.claims.spurious import claim

CLAIM = claim(
    "R4", "wrong-label", "Rewards for a wrong answer raise accuracy, by at least half of what true rewards do"
)
