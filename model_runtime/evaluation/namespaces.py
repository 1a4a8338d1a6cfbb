"""Confines a command by Linux namespaces alone, where bubblewrap is missing.

A script of its own: standard library only, nothing of this package.

    python namespaces.py FILE_BYTES --read-only PATH... --devices PATH... -- COMMAND ARGUMENT...

    supervisor --> this process --> process 1 of the new namespaces --> COMMAND
                   waits            builds the file system, reaps       no privileges

The command sees a memory file system with the read-only paths, a few devices and a writable /tmp;
no /proc, no network, no other process.  Killing any of the processes above it ends it and all that
it started, because the kernel empties a process namespace whose first process dies.

An ordinary user gets a user namespace.  Root builds the rest without one and hands over to a user
id that nobody has, because the kernel does not apply the limit on processes to root.  Needs Linux
>= 5.12.
"""

from __future__ import annotations

import ctypes
import os
import sys

TYPE_CHECKING = False  # importing `typing` would add a third to the time a program takes to start
if TYPE_CHECKING:
    from typing import NoReturn

# From linux/sched.h, sys/mount.h, linux/mount.h, linux/prctl.h and linux/capability.h.
_CLONE_NEWNS, _CLONE_NEWUTS, _CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
_CLONE_NEWUSER, _CLONE_NEWPID, _CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
_MS_NOSUID, _MS_NODEV, _MS_BIND, _MS_REC, _MS_PRIVATE = 2, 4, 4096, 16384, 1 << 18
_MNT_DETACH = 2
_ATTR_READ_ONLY, _ATTR_NOSUID, _ATTR_NODEV = 1, 2, 4
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_SYS_MOUNT_SETATTR = 442  # the same on every architecture
_SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41, "ppc64le": 203, "s390x": 217}
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 4, 24, 38
_CAPABILITY_VERSION_3 = 0x20080522
_SIGKILL = 9

_NOBODY = 65534
_FIRST_UNUSED_ID = 2_000_000_000  # plus a random number, so that two sandboxes share no limit

_OLD = "/.old"


class _MountAttributes(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_uint64) for name in ("attr_set", "attr_clr", "propagation", "userns_fd")
    ]


_libc = ctypes.CDLL(None, use_errno=True)


def main(arguments: list[str]) -> NoReturn:
    """Runs the command confined; exits with its status, or 128 + the signal that ended it."""
    # By hand: argparse or json would double the time that a program takes to start.
    first_of = {name: arguments.index(name) for name in ("--read-only", "--devices", "--")}
    read_only = arguments[first_of["--read-only"] + 1 : first_of["--devices"]]
    devices = arguments[first_of["--devices"] + 1 : first_of["--"]]
    command = arguments[first_of["--"] + 1 :]
    is_root = os.geteuid() == 0
    os.umask(0o022)
    _die_with_parent()
    _enter_namespaces(is_root)
    first = os.fork()
    if first:
        _close_all_but_stderr()
        os._exit(_status(os.waitpid(first, 0)[1]))
    _die_with_parent()
    _build_file_system(read_only, devices, file_bytes=int(arguments[0]))
    # The command must not be able to look into process 1 (same user, where that is not root).
    _check(_libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0), "hide process 1")
    child = os.fork()
    if not child:
        os.setsid()
        _drop_privileges(is_root)
        os.chdir("/tmp")
        os.execve(command[0], command, dict(os.environ))
    _close_all_but_stderr()
    while True:  # whatever the command leaves behind is reaped here
        process, status = os.wait()
        if process == child:
            os._exit(_status(status))


def _die_with_parent() -> None:
    """Ends everything that was started when the evaluation itself is killed."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0), "die with the parent")


def _enter_namespaces(is_root: bool) -> None:
    flags = _CLONE_NEWNS | _CLONE_NEWPID | _CLONE_NEWNET | _CLONE_NEWIPC | _CLONE_NEWUTS
    user, group = os.geteuid(), os.getegid()
    _check(_libc.unshare(flags if is_root else flags | _CLONE_NEWUSER), "unshare")
    if is_root:
        return
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{_NOBODY} {user} 1")
    _write("/proc/self/gid_map", f"{_NOBODY} {group} 1")
    try:  # noqa: SIM105 - contextlib would cost a tenth of a program's time
        # A second user namespace would give the command privileges over a copy of all this.
        _write("/proc/sys/user/max_user_namespaces", "0")
    except OSError:  # /proc/sys is read-only in containers
        pass


def _build_file_system(read_only: list[str], devices: list[str], file_bytes: int) -> None:
    """Makes a memory file system the root, with `read_only`, `devices` and a writable /tmp."""
    _mount(None, "/", None, _MS_REC | _MS_PRIVATE)
    _mount("tmpfs", "/tmp", "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=755,size=1m")
    os.mkdir("/tmp" + _OLD)
    _check(_libc.syscall(_pivot_root_number(), b"/tmp", b"/tmp" + _OLD.encode()), "pivot_root")
    os.chdir("/")
    flags = _MS_NOSUID | _MS_NODEV
    os.mkdir("/tmp")
    _mount("tmpfs", "/tmp", "tmpfs", flags, f"mode=1777,size={file_bytes},nr_inodes=1024")
    for path in read_only:
        if os.path.islink(_OLD + path):  # /lib -> usr/lib
            os.symlink(os.readlink(_OLD + path), path)
        else:
            _bind(path, _ATTR_READ_ONLY | _ATTR_NOSUID | _ATTR_NODEV)
    for device in devices:
        _bind(device, _ATTR_READ_ONLY | _ATTR_NOSUID)
    _check(_libc.umount2(_OLD.encode(), _MNT_DETACH), "umount")
    os.rmdir(_OLD)
    _set_attributes("/", _ATTR_READ_ONLY | _ATTR_NOSUID | _ATTR_NODEV, recursive=False)


def _bind(path: str, attributes: int) -> None:
    """Shows the old root's `path` at the same place, with all that is mounted below it."""
    if os.path.isdir(_OLD + path):
        os.makedirs(path, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o644))
    _mount(_OLD + path, path, None, _MS_BIND | _MS_REC)
    _set_attributes(path, attributes, recursive=True)


def _drop_privileges(is_root: bool) -> None:
    """Gives up all capabilities, also those that executing something gives; root becomes nobody."""
    for capability in range(64):
        if _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0):
            break  # past the last one that this kernel knows
    if is_root:
        user = _FIRST_UNUSED_ID + int.from_bytes(os.urandom(3), "big")
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    none = (ctypes.c_uint32 * 6)()
    _check(_libc.capset(header, none), "capset")


def _mount(source: str | None, target: str, kind: str | None, flags: int, data: str = "") -> None:
    def encoded(text: str | None) -> bytes | None:
        return None if text is None else os.fsencode(text)

    result = _libc.mount(
        encoded(source), encoded(target), encoded(kind), ctypes.c_ulong(flags), encoded(data)
    )
    _check(result, f"mount {target}")


def _set_attributes(path: str, attributes: int, *, recursive: bool) -> None:
    wanted = _MountAttributes(attr_set=attributes)
    result = _libc.syscall(
        _SYS_MOUNT_SETATTR,
        _AT_FDCWD,
        os.fsencode(path),
        _AT_RECURSIVE if recursive else 0,
        ctypes.byref(wanted),
        ctypes.c_size_t(ctypes.sizeof(wanted)),
    )
    _check(result, f"make {path} read-only")


def _pivot_root_number() -> int:
    machine = os.uname().machine
    if machine not in _SYS_PIVOT_ROOT:
        raise OSError(f"no system call number of pivot_root for {machine}")
    return _SYS_PIVOT_ROOT[machine]


def _check(result: int, what: str) -> None:
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def _close_all_but_stderr() -> None:
    """Closes what only the command may write to: the supervisor reads until nobody can write."""
    os.closerange(3, 1 << 16)


def _status(wait_status: int) -> int:
    code = os.waitstatus_to_exitcode(wait_status)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except OSError as error:
        print(f"namespaces: {error.strerror or error}", file=sys.stderr)
        os._exit(125)
