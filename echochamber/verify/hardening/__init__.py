"""Walls around a worker process, built before it starts: rlimits, no_new_privs, Landlock, seccomp.

`worker.py` is a script of its own, run as `python -I -S worker.py`, and imports nothing but the standard library.
"""
