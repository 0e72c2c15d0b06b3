"""`python -m pecia_worker`: claims pages of jobs and has them read, until told to stop.

`python -m pecia_worker requeue` puts documents back into the list of another backend.
"""

import asyncio
import sys

from pecia_core.memory import keep_freed_memory
from pecia_core.settings import loaded
from pecia_core.telemetry import configure_logging
from pecia_wall import probe

from pecia_worker.intake import requeue
from pecia_worker.main import run
from pecia_worker.settings import Settings


def main(arguments: list[str]) -> int:
    """Work as the settings say; gives the exit status."""
    settings = loaded(Settings)
    configure_logging("worker", settings.telemetry.log_level)
    if arguments[:1] == ["requeue"]:
        return requeue.main(arguments[1:], settings.queue())
    bearing = probe.check(required=settings.wall.required)
    keep_freed_memory()
    asyncio.run(run(settings, bearing))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
