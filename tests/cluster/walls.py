"""What the HA values need beside the chart: certificates, keys, and pods to look at the walls from."""

import json

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pecia_identity.authority import Authority

from tests.cluster.kubectl import Cluster, Thing, secret
from tests.cluster.pods import restricted


def hand_out(cluster: Cluster, authority: Authority) -> None:
    """The Secrets of both sides, as `authority` has them now."""
    cluster.apply(
        secret("pecia-tls", _pair(authority, "ocr")),
        secret("pecia-client-tls", _pair(authority, "gateway")),
        secret("pecia-signing", {"signing.pem": authority.signing.read_text()}),
        secret("pecia-verifying", {"verifying.pem": authority.verifying.read_text()}),
    )


def other_keys(cluster: Cluster) -> None:
    """Of the audit log, of webhooks and of whoever signs models."""
    models = Ed25519PrivateKey.generate().public_key()
    public = models.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    cluster.apply(
        secret("pecia-audit-key", {"audit-secret": "of the tests, and of nobody else"}),
        secret("pecia-webhook-keys", {"keys": "whsec_b2YgdGhlIHRlc3RzLCBhbmQgb2Ygbm9ib2R5IGVsc2U="}),
        secret("pecia-model-key", {"signing.pub": public}),
    )


def pod(name: str, image: str, labels: dict[str, str]) -> Thing:
    """A pod that does nothing, to look from."""
    asks = {"requests": {"cpu": "10m", "memory": "32Mi"}}
    return restricted(
        name, labels, {"name": "looks", "image": image, "command": ["sleep", "3600"], "resources": asks}
    )


def open_doors(cluster: Cluster, pod: str, doors: list[str]) -> set[str]:
    """Those of `host:port` that open from within a pod."""
    found = json.loads(cluster.run_inside(pod, "doors.py", *doors))
    return {door for door, is_open in found.items() if is_open}


def greet(cluster: Cluster, pod: str, *arguments: str) -> Thing:
    """What an ocr pod says to a gateway's pod, see inside/handshake.py."""
    return dict(json.loads(cluster.run_inside(pod, "handshake.py", *arguments)))


def _pair(authority: Authority, who: str) -> dict[str, str]:
    return {
        "tls.crt": authority.certificate(who).read_text(),
        "tls.key": authority.key(who).read_text(),
        "ca.crt": authority.bundle.read_text(),
    }
