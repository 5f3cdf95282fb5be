"""Text sources and question sets: the embedded world, adapters of the hub, what a document is."""
