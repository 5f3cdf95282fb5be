"""R3 (Shao et al. 2025, arXiv 2506.10947, figure 1): the reward `majority-vote`."""

from __future__ import annotations

from echochamber.analysis.claims.spurious import claim

CLAIM = claim(
    "R3", "majority-vote", "Rewards for the majority's answer raise accuracy, by at least half of what true rewards do"
)
