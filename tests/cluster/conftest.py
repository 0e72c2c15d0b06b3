"""A real cluster, named by PECIA_TEST_KUBECONFIG; each module has a restricted namespace of its own.

`PECIA_TEST_REGISTRY` and `PECIA_TEST_IMAGES` say where the images are and their tag (`localhost`, `test`),
`PECIA_TEST_FORMER` the tag of a former release to run beside this one. `PECIA_TEST_POSTGRES` and
`PECIA_TEST_S3` name the images of the database and of the bucket that the tests need, and
`PECIA_TEST_SECRETS_MANAGER` the address of the Secrets Manager that external-secrets asks there.
"""

import contextlib
import os
import secrets
import subprocess
from collections.abc import Callable, Iterator

import pytest
from pecia_core.keys import KeyWish, make_key, snippet_of

from tests.cluster.kubectl import ROOT, Cluster, Refused, secret, until
from tests.cluster.release import Images

_LAST_PAGES_S = 400
_RELEASE = "app.kubernetes.io/instance=pecia"
_LATER_FIELDS = {"name", "scopes", "created"}
_LEVELS = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn", "audit")}


@pytest.fixture(scope="session")
def kubeconfig() -> str:
    """How the cluster is reached."""
    named = os.environ.get("PECIA_TEST_KUBECONFIG", "")
    if not named:
        pytest.skip("PECIA_TEST_KUBECONFIG names no cluster: see CONTRIBUTING.md, make test-cluster.")
    subprocess.run([ROOT / "scripts/kube-tools"], check=True, cwd=ROOT)
    return named


@pytest.fixture(scope="session")
def images() -> Images:
    """Which images run."""
    return Images.of_environment()


@pytest.fixture(scope="module")
def cluster(kubeconfig: str) -> Iterator[Cluster]:
    """A namespace where nothing runs that is not restricted; it goes with the module."""
    place = Cluster(kubeconfig, f"pecia-test-{secrets.token_hex(3)}")
    labels = _LEVELS | {"pecia.dev/test": "true"}
    place.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": place.namespace, "labels": labels}}
    )
    yield place
    with contextlib.suppress(Refused):  # where a test has left it half installed
        place.helm("uninstall", "pecia", "--wait", "--timeout=5m", "--ignore-not-found")
    # a namespace that is deleted with pods in it looks for their end only after half of their long grace
    with contextlib.suppress(TimeoutError):
        until(lambda: not place.all("pods", _RELEASE), "the pods' end", _LAST_PAGES_S)
    place("delete", "namespace", place.namespace, "--timeout=10m", timeout_s=660)


@pytest.fixture(scope="module")
def keys(cluster: Cluster) -> None:
    """The Secrets that the CPU values name: hashed keys, that of gateway and workers, and a caller's."""
    internal, trusted = make_key(KeyWish("pecia", "gateway", trusted=True))
    caller, known = make_key(KeyWish("office", "tests"))
    cluster.apply(
        secret("pecia-keys", {"keys.toml": _known_to_all(snippet_of(trusted) + snippet_of(known))}),
        secret("pecia-internal-key", {"key": internal}),
        secret("pecia-test-key", {"api-key": caller}),
    )


def _known_to_all(snippets: str) -> str:
    """A keys file without fields that came later: who does not know a field refuses the file."""
    lines = snippets.splitlines()
    return "\n".join(line for line in lines if line.partition(" ")[0] not in _LATER_FIELDS)


@pytest.fixture(scope="module")
def definition(cluster: Cluster) -> Iterator[None]:
    """What an OCRModel is; the chart pecia-crds, where the cluster does not have it yet."""
    if cluster.get("customresourcedefinition", "ocrmodels.pecia.dev"):
        yield
        return
    cluster.helm("install", "pecia-crds", str(ROOT / "helm/pecia-crds"), "--set=keep=false", "--wait")
    yield
    cluster.helm("uninstall", "pecia-crds", "--wait")


@pytest.fixture
def show(capsys: pytest.CaptureFixture[str]) -> Callable[[object], None]:
    """Says what was measured, beside the test's name."""

    def say(what: object) -> None:
        with capsys.disabled():
            print(f" [{what}]", end="")  # noqa: T201 - that is what it is for

    return say
