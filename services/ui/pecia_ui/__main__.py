"""`python -m pecia_ui`: serve the page; settings come from the environment (docs/CONFIG.md)."""

import logging
import math
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

from streamlit.web import cli

from pecia_ui.logs import configure_logging
from pecia_ui.palette import CONFIDENT
from pecia_ui.settings import Settings

log = logging.getLogger(__name__)
_PAGE = Path(__file__).with_name("serving.py")


def flags(settings: Settings) -> list[str]:
    """The arguments of `streamlit run`; they win over any config file of the machine."""
    options = {
        "server.address": settings.host,
        "server.port": settings.port,
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "server.runOnSave": "false",
        "server.maxUploadSize": math.ceil(settings.max_document_mb),  # Streamlit knows whole ones only
        "browser.gatherUsageStats": "false",
        # The welcome asks a server outside for this machine's address.
        "logger.hideWelcomeMessage": "true",
        # Debug is for our own records: Streamlit deals with what visitors type and what files they name.
        "logger.level": settings.log_level.lower().replace("debug", "info"),
        "client.toolbarMode": "minimal",
        "client.showErrorDetails": "none",
        # It would write CSV whose cells a spreadsheet takes for formulas.
        "client.disableDataExport": "true",
        "theme.primaryColor": CONFIDENT,
        "theme.baseRadius": "0.6rem",
        "theme.headingFontSizes": "2rem",
        "theme.showWidgetBorder": "true",
        "theme.light.backgroundColor": "#fbfbfd",
        "theme.light.secondaryBackgroundColor": "#f0f2f7",
        "theme.light.textColor": "#1c2130",
        "theme.dark.primaryColor": "#3672da",
        "theme.dark.backgroundColor": "#14171f",
        "theme.dark.secondaryBackgroundColor": "#1f2430",
        "theme.dark.textColor": "#e8ebf2",
    }
    return [f"--{name}={value}" for name, value in options.items()]


def _left(_number: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(0)


def main() -> None:
    """Serve until told to stop."""
    settings = Settings()
    configure_logging(settings.log_level)
    for number in (signal.SIGTERM, signal.SIGINT):
        # The server shuts down by itself, and then raises what it was sent: that is a good end.
        signal.signal(number, _left)
    log.info("The page is served on port %d", settings.port)
    cli.main(["run", str(_PAGE), *flags(settings)], prog_name="pecia_ui")


if __name__ == "__main__":
    main()
