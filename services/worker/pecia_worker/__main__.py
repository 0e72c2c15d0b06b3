"""`python -m pecia_worker`: claims pages of jobs and has them read, until told to stop."""

import asyncio

from pecia_core.memory import keep_freed_memory
from pecia_core.telemetry import configure_logging

from pecia_worker.main import run
from pecia_worker.settings import Settings


def main() -> None:
    """Work as the settings say."""
    keep_freed_memory()
    settings = Settings()
    configure_logging("worker", settings.telemetry.log_level)
    asyncio.run(run(settings))


if __name__ == "__main__":
    main()
