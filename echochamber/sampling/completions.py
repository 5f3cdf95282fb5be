"""What sampling gives: completions, the sampler's own log-probabilities, and what else it knows of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass
class Completions:
    """Completions of `prompts`, those of one prompt side by side: number p * samples + s is sample s of prompt p."""

    prompts: list[list[int]]
    completions: list[list[int]]
    """Token ids, the end token included where it was reached."""
    logprobs: list[np.ndarray]
    """Of each completion token, in nats, at the sampling temperature and before top_p: float32, (tokens,)."""
    entropy: list[float]
    """Of the distributions that the tokens were drawn from, before top_p, summed over the completion, in nats."""
    finished: list[bool]
    """Whether the end token was reached within max_new_tokens."""
    inserted: list[np.ndarray] | None = None
    """Which tokens a tool inserted, bool, (tokens,); their log-probabilities are 0. None: there was no tool."""
