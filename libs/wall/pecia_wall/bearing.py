"""What of a wall the kernel holds up."""

from dataclasses import dataclass
from typing import Self

# Landlock's versions: files from 1, TCP from 4, signals and abstract sockets from 6.
_FILES, _TCP, _SIGNALS = 1, 4, 6


@dataclass(frozen=True, slots=True)
class Bearing:
    """What is in force in one process.

    Attributes:
        landlock: its version, 0 = none.
        seccomp: whether a filter of system calls is loaded.
        no_new_privs: whether no program it starts can gain rights.
    """

    landlock: int = 0
    seccomp: bool = False
    no_new_privs: bool = False

    @property
    def missing(self) -> tuple[str, ...]:
        """What this kernel does not hold, in words for people; empty = all of it holds."""
        lacking = {
            "no_new_privs": self.no_new_privs,
            "a filter of system calls (seccomp; it needs libseccomp.so.2)": self.seccomp,
            "rules for files (Landlock, Linux 5.13)": self.landlock >= _FILES,
            "rules for TCP (Landlock 4, Linux 6.7)": self.landlock >= _TCP or self.seccomp,
            "rules for signals (Landlock 6, Linux 6.12)": self.landlock >= _SIGNALS or self.seccomp,
        }
        return tuple(name for name, held in lacking.items() if not held)

    def __str__(self) -> str:
        """One word for a log line and for the way from child to parent: `7+seccomp+no_new_privs`."""
        parts = [str(self.landlock), *(["seccomp"] * self.seccomp), *(["no_new_privs"] * self.no_new_privs)]
        return "+".join(parts)

    @classmethod
    def parsed(cls, text: str) -> Self:
        """The way back from `str`.

        Raises:
            ValueError: something else.
        """
        version, *names = text.split("+")
        return cls(int(version), "seccomp" in names, "no_new_privs" in names)
