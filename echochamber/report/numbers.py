"""Numbers as the report writes them."""

from __future__ import annotations

import numpy as np
import pandas as pd

NOTHING = "\N{EN DASH}"
SPACE = "\N{NO-BREAK SPACE}"


def number(value: float | None, digits: int = 2) -> str:
    """A number with a fixed number of digits; an en dash for none."""
    return NOTHING if value is None or pd.isna(value) else f"{value:.{digits}f}"


def percent(value: float | None) -> str:
    """A share in whole percent; an en dash for none."""
    return NOTHING if value is None or pd.isna(value) else f"{100 * value:.0f}{SPACE}%"


def percents(estimate: float, low: float, high: float) -> str:
    """99 % [97, 100]; without brackets where there is no interval."""
    ends = "" if pd.isna(low) or pd.isna(high) else f" [{100 * low:.0f}, {100 * high:.0f}]"
    return f"{percent(estimate)}{ends}"


def big(value: float | None) -> str:
    """A count with separators."""
    return NOTHING if value is None or pd.isna(value) else f"{value:,.0f}"


def interval(estimate: float, low: float, high: float, *, signed: bool = False) -> str:
    """0.61 [0.52, 0.70]; without brackets where there is no interval."""
    form = "+.2f" if signed else ".2f"
    ends = "" if pd.isna(low) or pd.isna(high) else f" [{low:{form}}, {high:{form}}]"
    return f"{estimate:{form}}{ends}"


def effect(value: float | None) -> str:
    """A smallest effect; "none" where no effect would be found."""
    return "" if value is None or pd.isna(value) else "none" if np.isinf(value) else f"{value:.2f}"
