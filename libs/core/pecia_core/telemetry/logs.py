"""One JSON object a line on stderr, from every logger of the process, third parties included."""

import logging
import sys
from datetime import UTC, datetime
from typing import Any

from pythonjsonlogger.json import JsonFormatter

from pecia_core.telemetry.requests import request_id

# These tell of every call, with addresses that can hold names and keys; the services log calls themselves.
_SILENT_BELOW_WARNING = (
    "httpx",
    "httpx2",
    "httpcore",
    "httpcore2",
    "uvicorn.access",
    "aiohttp.access",
    "kopf.activities.probe",
)
_NAMES = {"levelname": "level", "name": "logger", "message": "event"}


def configure_logging(service: str, level: str = "INFO") -> None:
    """Send every log record of this process to stderr as one line of JSON.

    Fields: time (RFC 3339, UTC), level, logger, event (the message), service, request_id, and what
    was given as `extra`; an exception is the field `exc_info` of the same line. Calling it again
    replaces the former configuration. Start uvicorn with `log_config=None`, or it configures itself.

    Args:
        service: the name of this process in every line.
        level: DEBUG, INFO, WARNING or ERROR.

    Raises:
        ValueError: no such level.
    """
    handler = _StandardError()
    handler.setFormatter(_Formatter(service))
    root = logging.getLogger()
    root.setLevel(level.upper())
    for former in [former for former in root.handlers if _writes_to_terminal(former)]:
        root.removeHandler(former)
    root.addHandler(handler)
    logging.setLoggerClass(_Logger)
    for logger in list(logging.Logger.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger):
            _claim(logger)
    for name in _SILENT_BELOW_WARNING:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(True)  # noqa: FBT003  the standard library's signature


class _StandardError(logging.Handler):
    """Writes to what stderr is at the time, one record a write, so that processes may share it."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()
        except Exception:  # noqa: BLE001  logging never breaks the work it tells of
            self.handleError(record)


class _Formatter(JsonFormatter):
    def __init__(self, service: str) -> None:
        super().__init__(["levelname", "name", "message"], rename_fields=_NAMES)
        self._service = service

    def add_fields(
        self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]
    ) -> None:
        log_data["time"] = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        super().add_fields(log_data, record, message_dict)
        log_data.setdefault("service", self._service)
        log_data.setdefault("request_id", request_id.get())


class _Logger(logging.Logger):
    """Loggers made later: libraries that bring a terminal handler of their own leave it to the root."""

    def addHandler(self, hdlr: logging.Handler) -> None:  # noqa: N802  the standard library's name
        if _writes_to_terminal(hdlr):
            self.propagate = True
        else:
            super().addHandler(hdlr)


def _claim(logger: logging.Logger) -> None:
    for handler in [handler for handler in logger.handlers if _writes_to_terminal(handler)]:
        logger.removeHandler(handler)
        logger.propagate = True
    if not logger.handlers:
        logger.propagate = True


def _writes_to_terminal(handler: logging.Handler) -> bool:
    """Files, test recorders and other subclasses are somebody's intention; the terminal is ours."""
    if isinstance(handler, _StandardError):
        return True
    streams = (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
    return type(handler) is logging.StreamHandler and handler.stream in streams
