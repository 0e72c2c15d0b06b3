"""`python -m pecia_operator.weights`: fetch or check a checkpoint; the exit status says how it went."""

import asyncio
import logging
import sys
import time

from pecia_core.telemetry import configure_logging

from pecia_operator.weights.failures import WeightsFailure
from pecia_operator.weights.fetching import fetch
from pecia_operator.weights.settings import Settings

_log = logging.getLogger("pecia_operator.weights")


def main() -> int:
    """0 = every file is as its manifest says; other statuses are those of `WeightsFailure`."""
    settings = Settings()
    configure_logging("weights", settings.log_level)
    began = time.monotonic()
    try:
        came = asyncio.run(fetch(settings.weights))
    except WeightsFailure as error:
        # The last line of a container's log becomes its termination message, which the operator reads.
        _log.error("Weights refused", extra={"reason": error.message})
        return error.status
    _log.info("Weights are right", extra={"bytes": came, "seconds": round(time.monotonic() - began, 1)})
    return 0


if __name__ == "__main__":
    sys.exit(main())
