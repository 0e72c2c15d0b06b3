"""The C library, by which the kernel is asked for what Python has no words for."""

import ctypes
import sys

_SET_NO_NEW_PRIVS = 38
_SET_SECCOMP, _FILTER = 22, 2

# Only Linux has what is asked of it here.
libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def no_new_privs() -> bool:
    """Give up every way to more rights, such as programs that run as another user, for ever."""
    return libc is not None and libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))


_STEP_BYTES = 8


def load_filter(steps: bytes) -> bool:
    """Have a filter of system calls decide over this thread, and all that it starts, from now on."""
    program = _Program(len(steps) // _STEP_BYTES, steps)
    return libc is not None and libc.prctl(_SET_SECCOMP, _FILTER, ctypes.byref(program), 0, 0) == 0
