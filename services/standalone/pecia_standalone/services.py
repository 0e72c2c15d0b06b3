"""What runs on one machine: the services in the order they stand on each other."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pecia_standalone.papers import caller_papers, service_papers
from pecia_standalone.settings import Settings

_LOOPBACK = "127.0.0.1"
_EVERYWHERE = {"0.0.0.0": _LOOPBACK, "::": "::1"}  # noqa: S104 - a comparison, nothing is bound here

# Of the time a service has to stop.
_DRAIN = 0.8


@dataclass(frozen=True, slots=True)
class Service:
    """One process. `ready_url` says whether it can work (see `probes`); `flag` is how its port is changed."""

    name: str
    module: str
    host: str
    port: int
    ready_url: str
    flag: str
    environment: Mapping[str, str] = field(default_factory=dict)


def services(settings: Settings) -> list[Service]:
    """The ocr service, the gateway, the worker and the page; to be stopped the other way round."""
    target = f"{_LOOPBACK}:{settings.grpc_port}"
    api, page = api_url(settings), page_url(settings)
    jobs = _jobs_environment(settings)
    gateway = Service(
        name="gateway",
        module="pecia_gateway",
        host=settings.host,
        port=settings.http_port,
        ready_url=f"{api}/live",
        flag="--port",
        environment={
            "PECIA_HTTP__HOST": settings.host,
            "PECIA_HTTP__PORT": str(settings.http_port),
            "PECIA_OCR__TARGET": target,
            **caller_papers(settings, "gateway"),
            **jobs,
        },
    )
    worker = Service(
        name="worker",
        module="pecia_worker",
        host=_LOOPBACK,
        port=settings.worker_port,
        ready_url=f"http://{_LOOPBACK}:{settings.worker_port}/ready",
        flag="--worker-port",
        environment={
            "PECIA_HEALTH__HOST": _LOOPBACK,
            "PECIA_HEALTH__PORT": str(settings.worker_port),
            "PECIA_OCR__TARGET": target,
            # It gives back what it cannot end, before it would be killed.
            "PECIA_WORKER__DRAIN_S": str(settings.stop_timeout_s * _DRAIN),
            **caller_papers(settings, "worker"),
            **jobs,
        },
    )
    ui = Service(
        name="ui",
        module="pecia_ui",
        host=settings.host,
        port=settings.ui_port,
        ready_url=f"{page}/_stcore/health",
        flag="--ui-port",
        environment={
            "PECIA_API__BASE": api,
            **_known_certificate(settings),
            "PECIA_UI__HOST": settings.host,
            "PECIA_UI__PORT": str(settings.ui_port),
        },
    )
    ocr = _ocr(settings)
    return [ocr, gateway, worker, ui] if settings.ui else [ocr, gateway, worker]


def _ocr(settings: Settings) -> Service:
    return Service(
        name="ocr",
        module="pecia_ocr",
        host=_LOOPBACK,
        port=settings.grpc_port,
        ready_url=f"{api_url(settings)}/v1/capacity",
        flag="--grpc-port",
        environment={
            "PECIA_GRPC__HOST": _LOOPBACK,
            "PECIA_GRPC__PORT": str(settings.grpc_port),
            "PECIA_DEEPSEEK__DEMO": "true",
            **service_papers(settings),
        },
    )


def _known_certificate(settings: Settings) -> dict[str, str]:
    """The page asks this machine's address, which no certificate names: it knows the very one."""
    if settings.cert_file is None:
        return {}
    return {"PECIA_API__CA_FILE": str(settings.cert_file.absolute()), "PECIA_API__CHECK_NAME": "false"}


def _jobs_environment(settings: Settings) -> dict[str, str]:
    """Where jobs live, the same for whoever takes them in and whoever does them."""
    database = settings.database_url or f"sqlite:///{settings.jobs.absolute() / 'jobs.sqlite3'}"
    keys = settings.webhook_keys or settings.jobs / "webhook.keys"
    environment = {"PECIA_DATABASE__URL": database, "PECIA_WEBHOOKS__KEYS_FILE": str(keys.absolute())}
    if not settings.bucket or settings.blobs_url:
        environment["PECIA_BLOBS__URL"] = settings.blobs_url or str(settings.jobs.absolute() / "blobs")
    return environment


def api_url(settings: Settings) -> str:
    """Where the gateway answers on this machine."""
    plain = _url(settings.host, settings.http_port)
    return plain.replace("http:", "https:", 1) if settings.cert_file else plain


def page_url(settings: Settings) -> str:
    """Where the page answers on this machine."""
    return _url(settings.host, settings.ui_port)


def _url(host: str, port: int) -> str:
    name = _EVERYWHERE.get(host, host)
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"
