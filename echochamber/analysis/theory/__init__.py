"""What theory says of a run from its base model, held against what it did."""
