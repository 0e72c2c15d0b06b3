"""seccomp: which system calls a process may make. libseccomp knows their numbers and writes the filter."""

import ctypes
import errno
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

_LIBRARY = "libseccomp.so.2"
_KILL, _REFUSE, _ALLOW = 0x80000000, 0x00050000 | errno.EPERM, 0x7FFF0000
_BAD_ARCHITECTURE = 2  # the attribute: what happens to calls of another architecture
_MASKED_EQUAL = 7
_UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class Call:
    """A system call, or only where its argument number `argument`, masked, has this value."""

    name: str
    argument: int | None = None
    mask: int = 0xFFFFFFFF
    value: int = 0


@dataclass(frozen=True, slots=True)
class Filter:
    """What happens to system calls: `fatal` ones end the process.

    Of the others only the `allowed` ones may be made, or, where there are none, all but the `refused`.
    """

    allowed: tuple[Call, ...] = ()
    refused: tuple[Call, ...] = ()
    fatal: tuple[Call, ...] = ()


class _Comparison(ctypes.Structure):
    _fields_ = (
        ("argument", ctypes.c_uint),
        ("how", ctypes.c_int),
        ("a", ctypes.c_uint64),
        ("b", ctypes.c_uint64),
    )


@lru_cache(maxsize=1)
def _library() -> Any:  # noqa: ANN401 - ctypes makes its classes as it goes
    try:
        library = ctypes.CDLL(_LIBRARY, use_errno=True)
    except OSError:
        return None
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_init.argtypes = (ctypes.c_uint32,)
    library.seccomp_attr_set.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32)
    library.seccomp_export_bpf.argtypes = (ctypes.c_void_p, ctypes.c_int)
    library.seccomp_release.argtypes = (ctypes.c_void_p,)
    library.seccomp_rule_add_array.argtypes = (
        ctypes.c_void_p,
        ctypes.c_uint32,
        ctypes.c_int,
        ctypes.c_uint,
        ctypes.POINTER(_Comparison),
    )
    return library


def compiled(wanted: Filter) -> bytes | None:
    """The filter as the kernel takes it; None where libseccomp is not installed.

    Raises:
        OSError: libseccomp does not make it.
    """
    library = _library()
    if library is None:
        return None
    context = library.seccomp_init(_REFUSE if wanted.allowed else _ALLOW)
    if not context:
        raise OSError("libseccomp has no memory for a filter")
    try:
        _must(library.seccomp_attr_set(context, _BAD_ARCHITECTURE, _KILL), "the architecture")
        _add(library, context, _ALLOW, wanted.allowed)
        _add(library, context, _REFUSE, wanted.refused)
        _add(library, context, _KILL, wanted.fatal)
        return _exported(library, context)
    finally:
        library.seccomp_release(context)


def _add(library: Any, context: int, action: int, calls: Iterable[Call]) -> None:  # noqa: ANN401 - as above
    for call in calls:
        number = library.seccomp_syscall_resolve_name(call.name.encode())
        if number == _UNKNOWN:  # younger than this libseccomp, or of another architecture
            continue
        comparisons = (_Comparison * 1)()
        if call.argument is not None:
            comparisons[0] = _Comparison(call.argument, _MASKED_EQUAL, call.mask, call.value)
        count = 0 if call.argument is None else 1
        _must(library.seccomp_rule_add_array(context, action, number, count, comparisons), call.name)


def _exported(library: Any, context: int) -> bytes:  # noqa: ANN401 - as above
    place = os.memfd_create("filter", os.MFD_CLOEXEC)
    with os.fdopen(place, "rb") as file:
        _must(library.seccomp_export_bpf(context, place), "the filter")
        file.seek(0)
        return file.read()


def _must(answer: int, what: str) -> None:
    if answer < 0:
        raise OSError(-answer, f"libseccomp refuses {what}")
