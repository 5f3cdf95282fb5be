"""From samples and logs on disk to tables, claims and theory."""
