"""Certificates by cert-manager: issued, shown on both sides, and renewed while pages are read."""

import base64
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.cluster import walls
from tests.cluster.kubectl import ROOT, Cluster, Thing, until
from tests.cluster.load import Load, Wish, calling
from tests.cluster.release import NAME, Images, Release

_KIND = "certificates.cert-manager.io"
_DOCUMENT = ROOT / "docs/chart.md"
_READ_AGAIN = "certificates of the calls to the ocr service: read again"
_OWN = "/etc/pecia/client-tls"
_SERVER, _CALLERS = f"{NAME}-tls", f"{NAME}-client-tls"
_PODS = {"gateway": 2, "ocr-cpu": 2}
_ISSUED_S = 120
_TAKEN_UP_S = 400  # a kubelet looks at mounted Secrets every minute or so
_MORE = 5
_AGAIN_S = 10
# One that is good for an hour, and renewed two minutes after it was issued.
_SHORT = ("tls.certManager.duration=1h", "tls.certManager.renewBefore=58m")
_RENEWALS = 2


@pytest.fixture(scope="module")
def issuer(cluster: Cluster) -> None:
    """An authority of the namespace's own, and the Issuer that signs by it."""
    if not cluster.get("customresourcedefinition", _KIND):
        pytest.skip(f"This cluster has no cert-manager: {_KIND} is not defined.")
    by_itself = {"group": "cert-manager.io", "kind": "Issuer", "name": "by-itself"}
    authority = {"secretName": "authority", "isCA": True, "commonName": "tests", "issuerRef": by_itself}
    cluster.apply(
        made("Issuer", "by-itself", {"selfSigned": {}}),
        made("Certificate", "authority", {**authority, "privateKey": {"algorithm": "ECDSA", "size": 256}}),
        made("Issuer", "internal", {"ca": {"secretName": "authority"}}),
    )
    cluster("wait", "--for=condition=Ready", "issuer/internal", "--timeout=120s", timeout_s=150)


@pytest.fixture(scope="module")
def release(cluster: Cluster, images: Images, keys: None, issuer: None) -> Release:
    """The CPU values with two gateways and mutual TLS."""
    release = Release(cluster, images, "cpu", ["small", "stateless", "issued"])
    release.upgrade()
    release.all_settled(_PODS)
    return release


@pytest.fixture
def load(cluster: Cluster, images: Images, release: Release) -> Iterator[Load]:
    """Callers of pictures, each of whom asks anew."""
    with calling(cluster, images.name("gateway"), f"{NAME}-gateway", Wish("pictures", callers=2)) as load:
        load.more(_MORE)
        yield load


def made(kind: str, name: str, spec: Thing) -> Thing:
    """One of cert-manager's objects."""
    return {"apiVersion": "cert-manager.io/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def issued(cluster: Cluster, name: str) -> x509.Certificate:
    """The certificate in a Secret."""
    data = (cluster.get("secret", name) or {})["data"]
    assert set(data) >= {"tls.crt", "tls.key", "ca.crt"}
    return x509.load_pem_x509_certificate(base64.b64decode(data["tls.crt"]))


def serials(cluster: Cluster) -> tuple[int, int]:
    """Numbers of the certificates in both Secrets: the server's, and its callers'."""
    return issued(cluster, _SERVER).serial_number, issued(cluster, _CALLERS).serial_number


def greeted(cluster: Cluster, gateway: str, ocr: Thing, *folder: str) -> Thing:
    """What an ocr pod says to a gateway's pod: whether it listens, and the number of what it shows."""
    return walls.greet(cluster, gateway, str(ocr["status"]["podIP"]), f"{NAME}-ocr", *folder)


def mounted(cluster: Cluster, pod: Thing) -> int:
    """The number of the certificate that a gateway's pod has before it."""
    text = cluster("exec", str(pod["metadata"]["name"]), "--", "cat", f"{_OWN}/tls.crt")
    return int(x509.load_pem_x509_certificate(text.encode()).serial_number)


def taken_up(cluster: Cluster, release: Release) -> tuple[set[int], set[int]]:
    """What all ocr pods show, and what all gateways have before them."""
    gateways = release.pods("gateway")
    by = str(gateways[0]["metadata"]["name"])
    shown = {int(greeted(cluster, by, pod, _OWN)["serial"], 16) for pod in release.pods("ocr-cpu")}
    return shown, {mounted(cluster, pod) for pod in gateways}


def have_read_again(cluster: Cluster, release: Release) -> bool:
    """Whether every gateway's process says that it shows what lies there now."""
    logs = [cluster("logs", str(pod["metadata"]["name"])) for pod in release.pods("gateway")]
    assert not any("cannot be used" in log for log in logs)
    return all(_READ_AGAIN in log for log in logs)


def renew(cluster: Cluster, name: str) -> None:
    """As `cmctl renew` does."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    status = (cluster.get("certificate", name) or {})["status"]
    asked = {"type": "Issuing", "status": "True", "reason": "ManuallyTriggered", "message": "by the tests"}
    conditions = [one for one in status["conditions"] if one["type"] != "Issuing"]
    patch = {"status": {"conditions": [*conditions, {**asked, "lastTransitionTime": now}]}}
    cluster(
        "patch", "certificate", name, "--subresource=status", "--type=merge", f"--patch={json.dumps(patch)}"
    )


def test_both_certificates_are_issued(cluster: Cluster, release: Release) -> None:
    """Ready, in the Secrets that pods mount, each for its one side and as long as the values say."""
    for name in (_SERVER, _CALLERS):
        cluster("wait", "--for=condition=Ready", f"certificate/{name}", f"--timeout={_ISSUED_S}s")
    sides = {
        name: {usage.dotted_string for usage in usages(issued(cluster, name))} for name in (_SERVER, _CALLERS)
    }
    assert sides == {
        _SERVER: {ExtendedKeyUsageOID.SERVER_AUTH.dotted_string},
        _CALLERS: {ExtendedKeyUsageOID.CLIENT_AUTH.dotted_string},
    }
    server = issued(cluster, _SERVER)
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert f"{NAME}-ocr" in names.get_values_for_type(x509.DNSName)
    assert server.not_valid_after_utc - server.not_valid_before_utc == timedelta(hours=2160)


def usages(certificate: x509.Certificate) -> x509.ExtendedKeyUsage:
    """What it may be used for."""
    return certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value


def test_a_picture_is_read(release: Release) -> None:
    """`helm test`: from the gateway to the ocr service by mutual TLS."""
    assert "Succeeded" in release.test()


def test_only_a_certificate_is_heard(cluster: Cluster, release: Release) -> None:
    """The ocr service shows what was issued, and listens to who shows one of the same issuer's."""
    gateway = str(release.pods("gateway")[0]["metadata"]["name"])
    ocr = release.pods("ocr-cpu")[0]
    known = greeted(cluster, gateway, ocr, _OWN)
    assert known["heard"]
    assert int(known["serial"], 16) == issued(cluster, _SERVER).serial_number
    assert not greeted(cluster, gateway, ocr)["heard"]


def test_renewed_when_somebody_asks(
    cluster: Cluster, release: Release, load: Load, show: Callable[[object], None]
) -> None:
    """Both at once, under load: every pod takes its own up, none starts anew, and nobody is lost."""
    before, running = serials(cluster), release.started()
    for name in (_SERVER, _CALLERS):
        renew(cluster, name)
    until(lambda: not set(before) & set(serials(cluster)), "new certificates", _ISSUED_S)
    server, callers = serials(cluster)
    until(lambda: taken_up(cluster, release) == ({server}, {callers}), "both taken up", _TAKEN_UP_S)
    until(lambda: have_read_again(cluster, release), "gateways that show the new one", _TAKEN_UP_S)
    load.more(_MORE)
    load.end()
    said = load.said()
    show(said)
    assert said.lost == []
    assert release.started() == running


def test_renewed_when_their_time_comes(
    cluster: Cluster, release: Release, load: Load, show: Callable[[object], None]
) -> None:
    """Shorter ones replace those there are, without a new pod, and follow each other by the clock."""
    running = release.started()
    release.upgrade(*_SHORT)
    gateway = str(release.pods("gateway")[0]["metadata"]["name"])
    seen = [issued(cluster, _SERVER).serial_number]

    def next_is_shown() -> bool:
        shown = {int(greeted(cluster, gateway, pod, _OWN)["serial"], 16) for pod in release.pods("ocr-cpu")}
        if len(shown) == 1 and not shown & set(seen):
            seen.extend(shown)
        return len(seen) > _RENEWALS + 1

    until(next_is_shown, f"{_RENEWALS} renewals", _TAKEN_UP_S * (_RENEWALS + 1))
    load.more(_MORE)
    load.end()
    said = load.said()
    show(said)
    server = issued(cluster, _SERVER)
    assert server.not_valid_after_utc - server.not_valid_before_utc == timedelta(hours=1)
    assert said.lost == []
    assert release.started() == running


def test_what_was_issued_stays(cluster: Cluster, release: Release) -> None:
    """After `helm uninstall` their Secrets are left, as docs/chart.md says, and what it says removes them."""
    release.uninstall()
    assert [cluster.get("certificate", name) for name in (_SERVER, _CALLERS)] == [None, None]
    assert len(set(serials(cluster))) == len((_SERVER, _CALLERS))
    (command,) = [line for line in _DOCUMENT.read_text().splitlines() if _SERVER in line and "delete" in line]
    assert f"delete secret {_SERVER} {_CALLERS} " in command
    cluster("delete", "secret", _SERVER, _CALLERS)
    time.sleep(_AGAIN_S)
    assert [cluster.get("secret", name) for name in (_SERVER, _CALLERS)] == [None, None]
