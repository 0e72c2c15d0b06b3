"""`python -m pecia_ui`: serve the page; settings come from the environment (docs/CONFIG.md)."""

import math
from pathlib import Path

from streamlit.web import cli

from pecia_ui.logs import configure_logging
from pecia_ui.palette import CONFIDENT
from pecia_ui.settings import Settings

_PAGE = Path(__file__).with_name("app.py")


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


def main() -> None:
    """Serve until told to stop."""
    settings = Settings()
    configure_logging(settings.log_level)
    cli.main(["run", str(_PAGE), *flags(settings)], prog_name="pecia_ui")


if __name__ == "__main__":
    main()
