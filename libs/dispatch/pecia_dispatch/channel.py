"""One connection to one pod."""

import grpc
from pecia_identity.certificates import PaperFiles, Papers

from pecia_dispatch.addresses import Address
from pecia_dispatch.settings import ClientTlsSettings, OcrSettings

# A pod that does not take a connection within this is not there.
_CONNECT_MS = 2000
_KEEPALIVE_TIMEOUT_MS = 10_000


def open_channel(address: Address, settings: OcrSettings, papers: Papers) -> grpc.aio.Channel:
    """A channel that connects with its first call, and shows and trusts `papers` as long as it lasts."""
    options: list[tuple[str, int | str]] = [
        ("grpc.max_send_message_length", settings.max_message_bytes),
        ("grpc.max_receive_message_length", settings.max_message_bytes),
        ("grpc.initial_reconnect_backoff_ms", 200),
        ("grpc.min_reconnect_backoff_ms", _CONNECT_MS),
        ("grpc.max_reconnect_backoff_ms", _CONNECT_MS),
        # Retries are decided here, where the other pods are known.
        ("grpc.enable_retries", 0),
        # Calls to this machine or cluster: a proxy in the environment is not meant for them.
        ("grpc.enable_http_proxy", 0),
        # Two clients in one process share no connection: closing one must not disturb the other.
        ("grpc.use_local_subchannel_pool", 1),
    ]
    if settings.keepalive_s:
        options += [
            ("grpc.keepalive_time_ms", int(settings.keepalive_s * 1000)),
            ("grpc.keepalive_timeout_ms", _KEEPALIVE_TIMEOUT_MS),
        ]
    if settings.tls.ca_file is None:
        return grpc.aio.insecure_channel(str(address), options=options)
    # The pod is dialled by address; its certificate carries the service's name.
    options.append(("grpc.ssl_target_name_override", settings.tls.server_name or address.name))
    credentials = grpc.ssl_channel_credentials(
        papers.authorities, papers.key or None, papers.certificate or None
    )
    return grpc.aio.secure_channel(str(address), credentials, options=options)


def paper_files(tls: ClientTlsSettings) -> PaperFiles:
    """Where the papers lie; nowhere while there is no TLS."""
    return PaperFiles(tls.cert_file, tls.key_file, tls.ca_file) if tls.ca_file else PaperFiles()
