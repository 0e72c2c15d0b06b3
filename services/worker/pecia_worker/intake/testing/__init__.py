"""For tests of the intake: a backend, and the half of a worker that reads, without an engine."""

from pecia_worker.intake.testing.backend import CHANNEL, COUNTING, Backend, Table
from pecia_worker.intake.testing.reader import Reader

__all__ = ["CHANNEL", "COUNTING", "Backend", "Reader", "Table"]
