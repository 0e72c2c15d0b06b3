"""`python -m pecia_standalone`, `pecia up` and `make up`: everything on this machine."""

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import typer

from pecia_standalone.ports import PortTaken
from pecia_standalone.screen import Screen
from pecia_standalone.services import services
from pecia_standalone.settings import Settings
from pecia_standalone.supervisor import Supervisor

_CANNOT_START = 2
_EPILOG = """All settings of the services work too: PECIA_ENGINES__RAPID_WORKERS=2 pecia up"""


def up(  # noqa: PLR0913, PLR0917 - typer reads the command's options from the parameters
    host: Annotated[
        str | None,
        typer.Option(help="Address to bind; 0.0.0.0 opens it to the network.", show_default="127.0.0.1"),
    ] = None,
    port: Annotated[int | None, typer.Option(help="Port of the gateway.", show_default="8000")] = None,
    ui_port: Annotated[int | None, typer.Option(help="Port of the page.", show_default="8501")] = None,
    grpc_port: Annotated[
        int | None, typer.Option(help="Port of the ocr service.", show_default="50051")
    ] = None,
    worker_port: Annotated[
        int | None, typer.Option(help="Port on which the worker says how it is.", show_default="8080")
    ] = None,
    no_ui: Annotated[bool, typer.Option("--no-ui", help="Start no page.")] = False,  # noqa: FBT002 - a flag of the command line
    secure: Annotated[  # noqa: FBT002 - same
        bool, typer.Option("--secure", help="Mutual TLS and signed calls between the services.")
    ] = False,
    check: Annotated[bool, typer.Option("--check", help="Stop after the self-check.")] = False,  # noqa: FBT002 - same
    logs: Annotated[Path | None, typer.Option(help="Folder of the log files.", show_default=False)] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show the logs here, too.")] = False,  # noqa: FBT002 - same
) -> None:
    """Start the ocr service, the gateway, a worker and the page; read a sample; run until Ctrl-C.

    Exit status: 0 = stopped when asked to, 1 = something did not work, 2 = a port is taken.
    """
    said = {
        "host": host,
        "http_port": port,
        "ui_port": ui_port,
        "grpc_port": grpc_port,
        "worker_port": worker_port,
        "logs": logs,
    }
    chosen = {name: value for name, value in said.items() if value is not None}
    switches = ({"ui": False} if no_ui else {}) | ({"secure": True} if secure else {})
    settings = Settings.model_validate(dict(Settings()) | chosen | switches)
    raise typer.Exit(asyncio.run(_run(settings, check_only=check, verbose=verbose)))


async def _run(settings: Settings, *, check_only: bool, verbose: bool) -> int:
    screen = Screen(settings)
    supervisor = Supervisor(settings, services(settings), screen, verbose=verbose)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, supervisor.interrupt)
    try:
        return await supervisor.run(check_only=check_only)
    except PortTaken as taken:
        screen.failed(str(taken))
        return _CANNOT_START


app = typer.Typer(
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    add_completion=False,
)
app.command(epilog=_EPILOG)(up)

if __name__ == "__main__":
    app(prog_name="pecia up")
