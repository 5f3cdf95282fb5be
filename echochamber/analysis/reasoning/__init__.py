"""How a completion reasons: its equations, traces, errors, right steps. Pure."""
