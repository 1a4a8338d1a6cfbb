"""Lists system calls that a confined program may not make, as a filter of the kernel (seccomp).

Namespaces and limits leave ways that an honest program never takes: io_uring does file access that
other filters do not see, System V and memfd memory counts for no limit, and a second user namespace
gives privileges over a copy of everything.  Those calls fail with "not permitted".
"""

# libseccomp would know more machines; it is not on PyPI, and the sandbox has the standard library
# alone.  Numbers: arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h.

from __future__ import annotations

import struct

_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7, "arm64": 0xC00000B7}
"""Name of a machine -> its number in linux/audit.h."""

_FORBIDDEN = {
    # of other processes
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "process_madvise": (440, 440), "kcmp": (312, 272), "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    # file access past the usual calls
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265), "fanotify_init": (300, 262),
    # memory that no limit counts
    "shmget": (29, 194), "shmat": (30, 196), "msgget": (68, 186), "semget": (64, 190),
    "mq_open": (240, 180), "memfd_create": (319, 279), "memfd_secret": (447, 447),
    # another file system, other namespaces
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51),
    "unshare": (272, 97), "setns": (308, 268), "open_tree": (428, 428), "move_mount": (429, 429),
    "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433),
    "mount_setattr": (442, 442),
    # the kernel itself
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "init_module": (175, 105),
    "finit_module": (313, 273), "delete_module": (176, 106), "syslog": (103, 116),
    "acct": (163, 89), "quotactl": (179, 60), "swapon": (167, 224), "swapoff": (168, 225),
    "reboot": (169, 142), "personality": (135, 92), "vhangup": (153, 58),
    "settimeofday": (164, 170), "clock_settime": (227, 112), "adjtimex": (159, 171),
    "clock_adjtime": (305, 266),
}  # fmt: skip
"""Name of a call -> its number on x86-64 and on 64-bit Arm."""
_CLONE, _CLONE3 = (56, 220), 435
_NEW_NAMESPACES = 0x7E020000
"""All flags of `clone` that make a namespace."""
_X32 = 0x40000000
"""The calls of x86-64 from this number on are those of another table."""

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _FIRST_ARGUMENT_AT = 0, 4, 16
_ALLOW, _KILL, _FAIL = 0x7FFF0000, 0x80000000, 0x00050000
_NOT_PERMITTED, _NO_SUCH_CALL = 1, 38


def seccomp_filter(machine: str) -> bytes:
    """Returns a program for the kernel; empty for a machine whose calls are not known here.

    Args:
        machine: as `os.uname` names it.
    """
    architecture = _ARCHITECTURES.get(machine)
    if architecture is None:
        return b""
    column = 0 if machine == "x86_64" else 1
    checks: list[tuple[int, int, str]] = [(_EQUAL, _CLONE3, "no such call")]
    checks += [(_AT_LEAST, _X32, "not permitted")] if machine == "x86_64" else []
    checks += [(_EQUAL, numbers[column], "not permitted") for numbers in _FORBIDDEN.values()]
    end = [  # what is no `clone`, and one that makes no namespace, is allowed
        (_EQUAL, 0, 2, _CLONE[column]),
        (_LOAD, 0, 0, _FIRST_ARGUMENT_AT),
        (_ANY_BIT, 1, 0, _NEW_NAMESPACES),
        (_RETURN, 0, 0, _ALLOW),
    ]
    end += [(_RETURN, 0, 0, _FAIL | _NOT_PERMITTED), (_RETURN, 0, 0, _FAIL | _NO_SUCH_CALL)]
    program = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER_AT),
    ]
    for place, (test, number, answer) in enumerate(checks):
        left = len(checks) - place - 1 + len(end)
        program.append((test, left - (2 if answer == "not permitted" else 1), 0, number))
    return b"".join(struct.pack("=HBBI", *step) for step in [*program, *end])
