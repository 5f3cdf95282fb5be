"""A seccomp filter as plain BPF: system calls that an interpreter of pure computation has no use for are refused.

A deny list, so that another libc or allocator still works, plus three checks on arguments: threads but no processes,
files only for reading, signals only to oneself. A refused call returns EPERM (ENOSYS where libc has a fallback), which
the program sees as an ordinary error. Numbers are of the kernel's tables for x86-64 and aarch64; elsewhere there is no
filter. Calls newer than the table are refused as unknown.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
import sys

AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
NEWEST = 462  # mseal, Linux 6.10
_LOAD, _EQUAL, _GREATER_OR_EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_CLONE_THREAD = 0x10000
_WRITING = 0x3 | 0x40 | 0x200 | 0x400  # O_ACCMODE, O_CREAT, O_TRUNC, O_APPEND: the same on both architectures
_PR_SET_SECCOMP, _MODE_FILTER = 22, 2

# Numbers 424 and above are the same everywhere.
_COMMON = {
    "pidfd_send_signal": 424, "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "open_tree": 428,
    "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "pidfd_open": 434, "clone3": 435,
    "openat2": 437, "pidfd_getfd": 438, "process_madvise": 440, "mount_setattr": 442, "quotactl_fd": 443,
    "memfd_secret": 447, "process_mrelease": 448, "fchmodat2": 452,
}  # fmt: skip
_X86_64 = {
    "open": 2, "shmget": 29, "shmat": 30, "shmctl": 31, "socket": 41, "connect": 42, "accept": 43, "sendto": 44,
    "recvfrom": 45, "sendmsg": 46, "recvmsg": 47, "shutdown": 48, "bind": 49, "listen": 50, "socketpair": 53,
    "clone": 56, "fork": 57, "vfork": 58, "execve": 59, "kill": 62, "semget": 64, "msgget": 68, "msgsnd": 69,
    "msgrcv": 70, "msgctl": 71, "truncate": 76, "ftruncate": 77, "rename": 82, "mkdir": 83, "rmdir": 84, "creat": 85,
    "link": 86, "unlink": 87, "symlink": 88, "chmod": 90, "fchmod": 91, "chown": 92, "fchown": 93, "lchown": 94,
    "ptrace": 101, "syslog": 103, "setuid": 105, "setgid": 106, "setreuid": 113, "setregid": 114, "setgroups": 116,
    "setresuid": 117, "setresgid": 119, "capset": 126, "rt_sigqueueinfo": 129, "utime": 132, "mknod": 133,
    "personality": 135, "setpriority": 141, "modify_ldt": 154, "pivot_root": 155, "adjtimex": 159, "setrlimit": 160,
    "chroot": 161, "acct": 163, "settimeofday": 164, "mount": 165, "umount2": 166, "swapon": 167, "swapoff": 168,
    "reboot": 169, "sethostname": 170, "setdomainname": 171, "iopl": 172, "ioperm": 173, "init_module": 175,
    "delete_module": 176, "quotactl": 179, "setxattr": 188, "lsetxattr": 189, "fsetxattr": 190, "removexattr": 197,
    "lremovexattr": 198, "fremovexattr": 199, "tkill": 200, "sched_setaffinity": 203, "io_setup": 206,
    "io_submit": 209, "clock_settime": 227, "tgkill": 234, "utimes": 235, "mq_open": 240, "mq_unlink": 241,
    "kexec_load": 246, "add_key": 248, "request_key": 249, "keyctl": 250, "inotify_init": 253, "openat": 257,
    "mkdirat": 258, "mknodat": 259, "fchownat": 260, "futimesat": 261, "unlinkat": 263, "renameat": 264, "linkat": 265,
    "symlinkat": 266, "fchmodat": 268, "unshare": 272, "utimensat": 280, "accept4": 288, "inotify_init1": 294,
    "rt_tgsigqueueinfo": 297, "perf_event_open": 298, "recvmmsg": 299, "fanotify_init": 300, "prlimit64": 302,
    "name_to_handle_at": 303, "open_by_handle_at": 304, "clock_adjtime": 305, "sendmmsg": 307, "setns": 308,
    "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312, "finit_module": 313, "renameat2": 316,
    "memfd_create": 319, "kexec_file_load": 320, "bpf": 321, "execveat": 322, "userfaultfd": 323,
}  # fmt: skip
_AARCH64 = {
    "io_setup": 0, "io_submit": 2, "setxattr": 5, "lsetxattr": 6, "fsetxattr": 7, "removexattr": 14,
    "lremovexattr": 15, "fremovexattr": 16, "inotify_init1": 26, "mknodat": 33, "mkdirat": 34, "unlinkat": 35,
    "symlinkat": 36, "linkat": 37, "renameat": 38, "umount2": 39, "mount": 40, "pivot_root": 41, "truncate": 45,
    "ftruncate": 46, "chroot": 51, "fchmod": 52, "fchmodat": 53, "fchownat": 54, "fchown": 55, "openat": 56,
    "quotactl": 60, "utimensat": 88, "acct": 89, "capset": 91, "personality": 92, "unshare": 97, "kexec_load": 104,
    "init_module": 105, "delete_module": 106, "clock_settime": 112, "syslog": 116, "ptrace": 117,
    "sched_setaffinity": 122, "kill": 129, "tkill": 130, "tgkill": 131, "rt_sigqueueinfo": 138, "setpriority": 140,
    "reboot": 142, "setregid": 143, "setgid": 144, "setreuid": 145, "setuid": 146, "setresuid": 147, "setresgid": 149,
    "setgroups": 159, "sethostname": 161, "setdomainname": 162, "setrlimit": 164, "settimeofday": 170, "adjtimex": 171,
    "mq_open": 180, "mq_unlink": 181, "msgget": 186, "msgctl": 187, "msgrcv": 188, "msgsnd": 189, "semget": 190,
    "shmget": 194, "shmctl": 195, "shmat": 196, "socket": 198, "socketpair": 199, "bind": 200, "listen": 201,
    "accept": 202, "connect": 203, "sendto": 206, "recvfrom": 207, "shutdown": 210, "sendmsg": 211, "recvmsg": 212,
    "add_key": 217, "request_key": 218, "keyctl": 219, "clone": 220, "execve": 221, "swapon": 224, "swapoff": 225,
    "rt_tgsigqueueinfo": 240, "perf_event_open": 241, "accept4": 242, "recvmmsg": 243, "prlimit64": 261,
    "fanotify_init": 262, "name_to_handle_at": 264, "open_by_handle_at": 265, "clock_adjtime": 266, "setns": 268,
    "sendmmsg": 269, "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272, "finit_module": 273,
    "renameat2": 276, "memfd_create": 279, "bpf": 280, "execveat": 281, "userfaultfd": 282, "kexec_file_load": 294,
}  # fmt: skip
TABLES = {"x86_64": _X86_64 | _COMMON, "aarch64": _AARCH64 | _COMMON}
_CHECKED = ("clone", "clone3", "openat", "open", "openat2", "kill", "tgkill", "execve", "prlimit64")


def _statement(code: int, value: int) -> bytes:
    return struct.pack("=HBBI", code, 0, 0, value & 0xFFFFFFFF)


def _jump(code: int, value: int, yes: int, no: int) -> bytes:
    return struct.pack("=HBBI", code, yes, no, value & 0xFFFFFFFF)


def _argument(index: int, high: bool = False) -> bytes:
    """Load one half of a 64-bit argument (both architectures are little-endian)."""
    return _statement(_LOAD, 16 + 8 * index + (4 if high else 0))


_DENY = _statement(_RETURN, _ERRNO | errno.EPERM)
_MISSING = _statement(_RETURN, _ERRNO | errno.ENOSYS)
_PASS = _statement(_RETURN, _ALLOW)


def program(machine: str, pid: int, path_address: int) -> bytes:
    """The filter for `machine`: process `pid` may signal itself only, and execute only the path at `path_address`.

    An address is all that a filter sees of a path: after the one `execve` the process has a new address space, and
    Landlock stands behind it. Raises KeyError for a machine without a table.
    """
    table = TABLES[machine]
    checks = {
        "clone": [_argument(0), _jump(_ANY_BIT, _CLONE_THREAD, 0, 1), _PASS, _DENY],
        "clone3": [_MISSING],  # its flags lie behind a pointer; libc falls back to clone
        "openat2": [_MISSING],
        "openat": [_argument(2), _jump(_ANY_BIT, _WRITING, 0, 1), _DENY, _PASS],
        "open": [_argument(1), _jump(_ANY_BIT, _WRITING, 0, 1), _DENY, _PASS],
        "kill": [_argument(0), _jump(_EQUAL, pid, 0, 1), _PASS, _DENY],
        "tgkill": [_argument(0), _jump(_EQUAL, pid, 0, 1), _PASS, _DENY],
        "execve": [
            _argument(0),
            _jump(_EQUAL, path_address, 0, 3),
            _argument(0, high=True),
            _jump(_EQUAL, path_address >> 32, 0, 1),
            _PASS,
            _DENY,
        ],
        # libc reads the stack limit with it; setting limits, or another process's, is refused.
        "prlimit64": [
            _argument(0),
            _jump(_EQUAL, 0, 0, 5),
            _argument(2),
            _jump(_EQUAL, 0, 0, 3),
            _argument(2, high=True),
            _jump(_EQUAL, 0, 0, 1),
            _PASS,
            _DENY,
        ],
    }
    code = [
        _statement(_LOAD, 4),
        _jump(_EQUAL, AUDIT_ARCH[machine], 1, 0),
        _statement(_RETURN, _KILL),
        _statement(_LOAD, 0),
        _jump(_GREATER_OR_EQUAL, NEWEST + 1, 0, 1),
        _MISSING,
    ]
    for name in _CHECKED:
        if name in table:
            code += [_jump(_EQUAL, table[name], 0, len(checks[name])), *checks[name]]
    for name, number in table.items():
        if name not in _CHECKED:
            code += [_jump(_EQUAL, number, 0, 1), _DENY]
    return b"".join([*code, _PASS])


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_void_p))


def install(path_address: int, pid: int) -> str | None:
    """Put the filter on this process, for good. Returns None if it is there, else why it is not."""
    machine = platform.machine()
    if not sys.platform.startswith("linux") or machine not in TABLES or sys.byteorder != "little":
        return f"no filter for {sys.platform} {machine}"
    code = program(machine, pid, path_address)
    buffer = ctypes.create_string_buffer(code, len(code))
    libc = ctypes.CDLL(None, use_errno=True)
    filter_ = _Program(len(code) // 8, ctypes.cast(buffer, ctypes.c_void_p))
    if libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(filter_), 0, 0) != 0:
        return f"the kernel refused the filter (errno {ctypes.get_errno()})"
    return None
