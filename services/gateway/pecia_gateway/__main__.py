"""`python -m pecia_gateway`: serve until told to stop, then finish what runs and exit 0."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from types import FrameType

import uvicorn
from pecia_core.memory import keep_freed_memory
from pecia_core.settings import loaded
from pecia_core.telemetry import configure_logging
from pecia_wall import probe

from pecia_gateway.app import create_app
from pecia_gateway.connections import BoundedConnection
from pecia_gateway.https import secured
from pecia_gateway.settings import Settings


class Server(uvicorn.Server):
    """uvicorn that exits 0 when it was asked to stop; its own way is to die of the signal."""

    def __init__(self, config: uvicorn.Config, leaving: asyncio.Event) -> None:
        """Serve as `config` says; `leaving` is set when it is asked to stop."""
        super().__init__(config)
        self._leaving = leaving

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop: streams without an end of their own have one now."""
        self._leaving.set()
        super().handle_exit(sig, frame)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop gracefully at the first signal, at once at the second SIGINT."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)


def main() -> None:
    """Serve as the settings say."""
    keep_freed_memory()
    settings = loaded(Settings)
    configure_logging("gateway", settings.telemetry.log_level)
    settings.log_unused_features()
    app = create_app(settings, probe.check(required=settings.wall.required))
    config = uvicorn.Config(
        app,
        host=settings.http.host,
        port=settings.http.port,
        http=BoundedConnection,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=ceil(settings.http.keep_alive_s),
        timeout_graceful_shutdown=ceil(settings.http.drain_s),
    )
    asyncio.run(Server(secured(config, settings.http), app.state.leaving).serve())


if __name__ == "__main__":
    main()
