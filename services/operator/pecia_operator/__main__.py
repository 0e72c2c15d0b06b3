"""`python -m pecia_operator`: keeps the models of one namespace running, until told to stop."""

import asyncio
import logging
import sys

from pecia_core.errors import PeciaError
from pecia_core.settings import loaded
from pecia_core.telemetry import configure_logging

from pecia_operator.main import run
from pecia_operator.settings import Settings


def main() -> int:
    """Work as the settings say; gives the exit status."""
    settings = loaded(Settings)
    configure_logging("operator", settings.telemetry.log_level)
    try:
        asyncio.run(run(settings))
    except PeciaError as error:
        logging.getLogger(__name__).error("Cannot start", extra={"reason": error.message})  # noqa: TRY400  said in full
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
