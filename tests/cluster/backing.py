"""What jobs of several pods need beside them: a PostgreSQL and a bucket, gone with the namespace."""

import base64
import json
import os
from collections.abc import Mapping

from tests.cluster.kubectl import Cluster, Thing, secret, until

_POSTGRES = "docker.io/library/postgres:17-bookworm"
_S3 = "docker.io/motoserver/moto:5.1.12"
# Of the official image, and of Debian's package: the programs' folder has the version in its name.
_DATABASE = """
set -eu
PATH="$(echo /usr/lib/postgresql/*/bin):$PATH"
while [ -e /data/away ]; do sleep 1; done
if [ ! -e /data/db/PG_VERSION ]; then
    initdb --pgdata=/data/db --username=pecia --auth=trust >/dev/null
    echo 'host all all all trust' >>/data/db/pg_hba.conf
fi
exec postgres -D /data/db -c listen_addresses='*' -c unix_socket_directories=/data
"""
_BUCKET = "exec python -m moto.server -H 0.0.0.0 -p 9000"
_DEBIAN_POSTGRES = 999
_WRITABLE = ("/data", "/tmp")  # noqa: S108 - the pod's own volume

# Ends PostgreSQL at once, as when its machine is lost; what it has written stays with the pod.
_TAKE_AWAY = "touch /data/away && kill -QUIT 1"
_BRING_BACK = "rm /data/away"
_BACKEND = {
    "CF_R2_ENDPOINT": "http://bucket:9000",
    "CF_R2_ACCESS_KEY_ID": "tests",
    "CF_R2_SECRET_ACCESS_KEY": "tests",
    "CF_R2_BUCKET_NAME": "pecia",
}


def start(cluster: Cluster) -> None:
    """Make both, wait until they listen, and make the Secret that the chart is told of."""
    cluster.apply(
        *_served("database", os.environ.get("PECIA_TEST_POSTGRES", _POSTGRES), 5432, _DATABASE),
        *_served("bucket", os.environ.get("PECIA_TEST_S3", _S3), 9000, _BUCKET),
        secret("pecia-backend", _BACKEND | {"DATABASE_URL": _address(cluster)}),
    )
    for name in ("database", "bucket"):
        cluster("rollout", "status", f"deployment/{name}", "--timeout=10m", timeout_s=660)
    cluster(
        "exec",
        "deployment/database",
        "--",
        "sh",
        "-c",
        "$(echo /usr/lib/postgresql/*/bin)/createdb -h /data -U pecia pecia",
    )
    put = "import urllib.request as u; u.urlopen(u.Request('http://127.0.0.1:9000/pecia', method='PUT'))"
    cluster("exec", "deployment/bucket", "--", "python", "-c", put)


def upload(cluster: Cluster, bucket: str, files: Mapping[str, bytes]) -> None:
    """Put files into a bucket, which is made where it is not there."""
    said = json.dumps({name: base64.b64encode(content).decode() for name, content in files.items()})
    cluster.run_inside("deployment/bucket", "upload.py", bucket, given=said)


def take_database_away(cluster: Cluster) -> None:
    """PostgreSQL ends in the middle of whatever it does, and stays away."""
    cluster("exec", "deployment/database", "--", "sh", "-c", _TAKE_AWAY)

    def look() -> bool:
        found = cluster.get("deployment", "database")
        return found is not None and not found["status"].get("readyReplicas")

    until(look, "the database's end", 60)


def bring_database_back(cluster: Cluster) -> None:
    """It starts again, with all that it had written."""
    cluster("exec", "deployment/database", "--", "sh", "-c", _BRING_BACK)
    cluster("rollout", "status", "deployment/database", "--timeout=5m", timeout_s=330)


def _address(cluster: Cluster) -> str:
    """Of the database, by its full name: KEDA asks from a namespace of its own."""
    return f"postgresql://pecia@database.{cluster.namespace}.svc/pecia"


def _served(name: str, image: str, port: int, script: str) -> tuple[Thing, Thing]:
    """A Deployment of one pod, and its Service."""
    labels = {"app.kubernetes.io/name": name}
    restricted = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    container = {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", script],
        "ports": [{"containerPort": port}],
        "readinessProbe": {"tcpSocket": {"port": port}, "periodSeconds": 2},
        "securityContext": restricted,
        "resources": {"requests": {"cpu": "20m", "memory": "128Mi"}},
        "volumeMounts": [{"name": "data", "mountPath": path, "subPath": path[1:]} for path in _WRITABLE],
    }
    pod = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _DEBIAN_POSTGRES,
            "runAsGroup": _DEBIAN_POSTGRES,
            "fsGroup": _DEBIAN_POSTGRES,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [{"name": "data", "emptyDir": {}}],
    }
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": labels},
            "strategy": {"type": "Recreate"},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": labels, "ports": [{"port": port}]},
    }
    return deployment, service
