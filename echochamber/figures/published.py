"""Values that the paper, its released checkpoints or a reproduction show, to draw beside one's own.

They are about 150M and 1B parameters on real text: a small embedded world is not expected to match them.
"""

from __future__ import annotations

SHARES_BEFORE = {("tg+4xomi1", "omi1"): 0.62, ("tg+4xomi1", "tinygsm"): 0.28}
"""(mixture, format) -> share in the base model, 150M, GSM8K (Figure 4a)."""

ACCURACY_BEFORE = {"tg": 0.240, "2xtg": 0.262, "4xtg": 0.308, "8xtg": 0.331}
"""mixture -> greedy accuracy on GSM8K of the released 150M base models."""

BILLION_TOKENS = {"tinygsm-0": (0.007, 0.007), "tinygsm-15": (0.039, 0.077), "tinygsm-30": (0.064, 0.139)}
"""mixture of config/weekend.yaml -> greedy accuracy on GSM8K before and after 3 passes of GRPO, as an independent
reproduction of the paper reports it: 150M, a billion tokens of which TinyGSM is so many percent."""

MATH_500 = {
    "tg": (0.048, 0.096),
    "tg+4xomi1": (0.086, 0.126),
    "tg+omi2": (0.334, 0.436),
    "omi2+mmqa": (0.346, 0.444),
    "tg+omi1+omi2": (0.334, 0.438),
}
"""mixture -> accuracy on MATH-500 before and after RL on GSM8K, 1B (Table 1)."""
