"""How fetching a checkpoint can fail, each with the exit status the operator knows it by."""

from typing import ClassVar

from pecia_core.errors import PeciaError


class WeightsFailure(PeciaError):
    """Another try would find the same, unless the subclass says otherwise."""

    default_code = "engine_unavailable"
    status: ClassVar[int] = 1


class WeightsNotFound(WeightsFailure):
    """The bucket, the folder, the manifest or a file is not there."""

    status = 10


class WeightsChecksumMismatch(WeightsFailure):
    """A file, or the manifest, is not what it should be."""

    status = 11


class WeightsAccessDenied(WeightsFailure):
    """These credentials do not open it."""

    status = 12


class WeightsInterrupted(WeightsFailure):
    """The line, the store or the disk failed; another try may do."""

    retryable = True
