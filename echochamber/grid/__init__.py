"""The grid: expansion, ids, paths, stage versions, reading its file, status. Knows names and paths only."""
