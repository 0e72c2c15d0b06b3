"""One JSON object a line on stderr, Streamlit's own records included; the same fields as all services."""

import json
import logging
import sys
from datetime import UTC, datetime

SERVICE = "ui"
# It tells of every call, with addresses.
_SILENT_BELOW_WARNING = ("httpx", "httpcore", "uvicorn.access")


def configure_logging(level: str) -> None:
    """Send every record of this process to stderr as JSON; call it before Streamlit makes its loggers.

    Args:
        level: DEBUG, INFO, WARNING or ERROR.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.setLoggerClass(_Plain)
    for logger in logging.Logger.manager.loggerDict.values():
        if isinstance(logger, logging.Logger):
            logger.handlers.clear()
            logger.propagate = True
            logger.__class__ = _Plain
    for name in _SILENT_BELOW_WARNING:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(True)  # noqa: FBT003 - the standard library's signature


class JsonLines(logging.Formatter):
    """A record as JSON: time (RFC 3339, UTC), level, logger, event, service, request_id."""

    def format(self, record: logging.LogRecord) -> str:
        """One line; a traceback is the field exc_info."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "event": record.getMessage(),
            "service": SERVICE,
            "request_id": getattr(record, "request_id", ""),
        }
        if record.exc_info:
            line["exc_info"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class _Plain(logging.Logger):
    """Libraries that bring a terminal handler of their own leave the terminal to the root."""

    def addHandler(self, hdlr: logging.Handler) -> None:  # noqa: N802 - the standard library's name
        if type(hdlr) is logging.StreamHandler:
            self.propagate = True
        else:
            super().addHandler(hdlr)
