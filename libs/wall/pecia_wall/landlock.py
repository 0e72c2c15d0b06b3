"""Landlock: which files a process may open and run, and whom it may reach; for itself, without any right.

Three system calls. The packages that bind them are all younger than their first stable release.
"""

import ctypes
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntFlag

from pecia_wall.kernel import libc

# The same numbers on every architecture.
_CREATE, _ADD, _RESTRICT = 444, 445, 446
_ASK_VERSION = 1
_PATH_BENEATH = 1

_TCP = 0b11  # bind, connect
_TCP_BIND = 0b01
_SCOPES = 0b11  # abstract sockets, signals
_ABI_REFER, _ABI_TRUNCATE, _ABI_TCP, _ABI_IOCTL, _ABI_SCOPES = 2, 3, 4, 5, 6


class Access(IntFlag):
    """What may be done with what lies at and below a path."""

    RUN = 1 << 0
    WRITE_FILE = 1 << 1
    READ_FILE = 1 << 2
    READ_DIR = 1 << 3
    TRUNCATE = 1 << 14
    IOCTL = 1 << 15
    READ = READ_FILE | READ_DIR
    USE = READ_FILE | READ_DIR | WRITE_FILE | TRUNCATE | IOCTL
    # Also to make, remove, rename and link: bits 4 to 13.
    KEEP = USE | 0b11_1111_1111 << 4


_OF_FILES = Access.RUN | Access.WRITE_FILE | Access.READ_FILE | Access.TRUNCATE | Access.IOCTL
_ALL = (1 << 16) - 1


@dataclass(frozen=True, slots=True)
class Rule:
    """What may be done at and below a path; one that does not exist allows nothing."""

    path: str
    access: Access


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("files", ctypes.c_uint64),
        ("net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def version() -> int:
    """Of the kernel's Landlock; 0 = it has none, or something around this process refuses it."""
    return max(0, _call(_CREATE, None, 0, _ASK_VERSION))


def restrict(rules: Iterable[Rule], *, connects: bool) -> int:
    """Allow this thread, and all that it starts from now on, what the rules say and no more.

    Args:
        rules: nothing else can be opened, made or run.
        connects: whether TCP connections may be made. None may be listened for in any case.

    Returns:
        The version in force; 0 = nothing is.

    Raises:
        OSError: the kernel has it and refuses. `no_new_privs` has to be set before.
    """
    found = version()
    if not found:
        return 0
    handled = _handled(found)
    net = (_TCP_BIND if connects else _TCP) if found >= _ABI_TCP else 0
    scoped = _SCOPES if found >= _ABI_SCOPES else 0
    attributes = _Ruleset(handled, net, scoped)
    size = 24 if found >= _ABI_SCOPES else 16 if found >= _ABI_TCP else 8
    ruleset = _call(_CREATE, ctypes.byref(attributes), size, 0, must=True)
    try:
        for rule in rules:
            _add(ruleset, rule, handled)
        _call(_RESTRICT, ruleset, 0, must=True)
    finally:
        os.close(ruleset)
    return found


def _handled(found: int) -> int:
    """Rights this version knows; the others are nobody's to forbid."""
    unknown = 0
    for since, bit in ((_ABI_REFER, 13), (_ABI_TRUNCATE, 14), (_ABI_IOCTL, 15)):
        unknown |= (found < since) << bit
    return _ALL & ~unknown


def _add(ruleset: int, rule: Rule, handled: int) -> None:
    try:
        place = os.open(rule.path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        allowed = rule.access & handled
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            allowed &= _OF_FILES
        beneath = _PathBeneath(allowed, place)
        _call(_ADD, ruleset, _PATH_BENEATH, ctypes.byref(beneath), 0, must=True)
    finally:
        os.close(place)


def _call(number: int, *arguments: object, must: bool = False) -> int:
    words = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    answer = int(libc.syscall(ctypes.c_long(number), *words)) if libc else -1
    if must and answer < 0:
        raise OSError(ctypes.get_errno(), f"Landlock's call {number} was refused")
    return answer
