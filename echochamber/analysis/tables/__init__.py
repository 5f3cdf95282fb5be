"""Tables: one observation a row."""
