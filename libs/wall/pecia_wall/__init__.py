"""Walls that a process puts up around itself before it touches strangers' bytes. They never come down.

`wall` says what is left to a process, `landlock` and `seccomp` are the kernel's two ways to hold it to
that, `calls` are the system calls that each kind of work needs, `limits` what it may use up, `bearing`
what was found to be in force, and `orphans` buries whom killed processes leave behind. Children import
nothing but the standard library here; `settings` and `probe` are for services.
"""

from pecia_wall.bearing import Bearing, Walls
from pecia_wall.limits import Limits, die_with
from pecia_wall.orphans import buried
from pecia_wall.wall import Narrower, Wall, WallMissing

__all__ = ["Bearing", "Limits", "Narrower", "Wall", "WallMissing", "Walls", "buried", "die_with"]
