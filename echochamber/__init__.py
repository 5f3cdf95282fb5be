"""What reinforcement learning adds to a language model, and what it only amplifies."""

__version__ = "0.1.0"
