"""Landlock: from here on this process opens the named files for reading and executing, and nothing else.

Kernel 5.13 and later; network rules since ABI 4, signals and abstract sockets since ABI 6.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_ALL_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}  # number of right bits by ABI
_EXECUTE, _READ_FILE, _READ_FOLDER = 1, 4, 8
_TCP, _SCOPES = 0b11, 0b11
_PATH_BENEATH, _VERSION = 1, 1


def restrict(files: list[str], folders: list[str] | None = None) -> str | None:
    """Allow `files`, and what is under `folders`, for reading; those that do not exist are skipped.

    Needs no_new_privs. Returns None if the wall stands, else why it does not.
    """
    if not sys.platform.startswith("linux"):
        return f"no Landlock on {sys.platform}"
    libc = ctypes.CDLL(None, use_errno=True)
    abi = libc.syscall(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint(_VERSION))
    if abi < 1:
        return f"this kernel has no Landlock (errno {ctypes.get_errno()})"
    rights = (1 << _ALL_FILE_RIGHTS[min(abi, 5)]) - 1
    attributes = struct.pack("=QQQ", rights, _TCP if abi >= 4 else 0, _SCOPES if abi >= 6 else 0)
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    ruleset = libc.syscall(_CREATE, attributes, ctypes.c_size_t(size), ctypes.c_uint(0))
    if ruleset < 0:
        return f"Landlock refused the rules (errno {ctypes.get_errno()})"
    try:
        for path in (*files, *(folders or ())):
            try:
                handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
            except OSError:
                continue
            allowed = _EXECUTE | _READ_FILE | (_READ_FOLDER if folders and path in folders else 0)
            rule = struct.pack("=Qi", allowed, handle)
            failed = libc.syscall(_ADD, ruleset, _PATH_BENEATH, rule, ctypes.c_uint(0))
            os.close(handle)
            if failed:
                return f"Landlock refused {path} (errno {ctypes.get_errno()})"
        if libc.syscall(_RESTRICT, ruleset, ctypes.c_uint(0)) != 0:
            return f"Landlock refused to start (errno {ctypes.get_errno()})"
    finally:
        os.close(ruleset)
    return None
