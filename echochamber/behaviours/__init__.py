"""What completions are told apart by beside their format: labels of which each bears one, and marks."""
