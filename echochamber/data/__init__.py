"""Token files: tokenizer, shards, mixtures and their order, contamination, downloads."""
