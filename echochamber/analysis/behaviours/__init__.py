"""The behaviours of a grid as its formats are measured: shares, accuracy, gains, what theory foretells of them."""
