"""What of a wall the kernel holds up, and how a service tells it to those who run it."""

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

    def weaker(self, other: Self) -> Self:
        """What both of two processes have."""
        return type(self)(
            min(self.landlock, other.landlock),
            self.seccomp and other.seccomp,
            self.no_new_privs and other.no_new_privs,
        )


@dataclass(frozen=True, slots=True)
class Walls:
    """What stands around the processes of a service that open strangers' files.

    Attributes:
        bearing: what the kernel holds.
        memory_bytes: of address space, that one document may use up.
        cpu_s: seconds of the processor, that one document or page may use up.
    """

    bearing: Bearing
    memory_bytes: int
    cpu_s: float

    def weaker(self, other: Self) -> Self:
        """The least of two services' walls: the smallest wall, and the widest bounds."""
        return type(self)(
            self.bearing.weaker(other.bearing),
            max(self.memory_bytes, other.memory_bytes),
            max(self.cpu_s, other.cpu_s),
        )
