"""What a failure says about a page: its own fault, somebody's who will be back, or worth another attempt."""

from enum import Enum, auto

from pecia_core import errors


class Verdict(Enum):
    """What to do with the page."""

    PERMANENT = auto()  # it would fail again: its code is kept
    WAIT = auto()  # a service or store is away or full; the page has not been tried, so no attempt is spent
    RETRY = auto()  # it was tried in vain, which may have been bad luck: an attempt is spent


_VERDICTS: dict[type[errors.PeciaError], Verdict] = {
    errors.InvalidRequest: Verdict.PERMANENT,
    errors.InvalidDocument: Verdict.PERMANENT,
    errors.UnsupportedDocument: Verdict.PERMANENT,
    errors.TooLarge: Verdict.PERMANENT,
    errors.NotFound: Verdict.PERMANENT,
    errors.Overloaded: Verdict.WAIT,
    errors.Unavailable: Verdict.WAIT,
    # The key is the worker's own: whoever runs this will set it right, and the pages are not to blame.
    errors.Unauthenticated: Verdict.WAIT,
    errors.PermissionDenied: Verdict.WAIT,
}


def verdict_of(error: errors.PeciaError) -> Verdict:
    """Whatever is not known for certain is worth another attempt."""
    return next((said for kind, said in _VERDICTS.items() if isinstance(error, kind)), Verdict.RETRY)
