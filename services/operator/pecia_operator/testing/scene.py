"""A cluster as a person with kubectl has it before them, with operators that can be started and stopped."""

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from pecia_operator.main import run
from pecia_operator.settings import Settings
from pecia_operator.testing.controllers import Controllers
from pecia_operator.testing.server import FakeApi

ROOT = Path(__file__).parents[4]
DEFINITION = ROOT / "helm/pecia-crds/files/ocrmodels.pecia.dev.yaml"
EXAMPLES = sorted((ROOT / "helm/pecia-crds/examples").glob("*.yaml"))
RULES = yaml.safe_load((ROOT / "services/operator/pecia_operator/rbac.yaml").read_text())
MODELS = "/apis/pecia.dev/v1alpha1/namespaces/default/ocrmodels"
# Five times what the slowest of these took on a busy machine with two cores.
PATIENCE_S = 40.0


def definition() -> dict[str, Any]:
    """The CustomResourceDefinition of the chart."""
    loaded: dict[str, Any] = yaml.safe_load(DEFINITION.read_text())
    return loaded


def settings(identity: str = "operator", **rollout: Any) -> Settings:
    """Of an operator whose every wait is short."""
    quick = {"resync_s": 0.4, "patience_s": 0.2, "weights_retry_s": 0.5} | rollout
    return Settings.model_validate(
        {
            "operator": {"identity": identity, "ocr_env": "pecia-ocr-env"},
            "rollout": quick,
            "lease": {"duration_s": 1.5, "renew_s": 1.0, "retry_s": 0.2},
            "probe": {"port": 0},
        }
    )


def until(what: Callable[[], Any], patience_s: float = PATIENCE_S) -> Any:
    """Wait for something to be so; what it was when it was."""
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        if found := what():
            return found
        time.sleep(0.01)
    raise AssertionError("waited in vain")


@dataclass
class Running:
    """An operator in a thread with a loop of its own: kopf ends every task of the loop it runs in."""

    api: FakeApi
    settings: Settings
    user: str
    stopping: threading.Event = field(default_factory=threading.Event)

    def start(self) -> "Running":
        """It runs."""
        config = self.api.kubeconfig(self.user)
        work = run(self.settings, config, self.stopping)
        self.thread = threading.Thread(target=lambda: asyncio.run(work), daemon=True)
        self.thread.start()
        return self

    def stop(self) -> None:
        """As SIGTERM does."""
        self.stopping.set()
        self.thread.join(20)
        assert not self.thread.is_alive()


@dataclass
class Cluster:
    """A cluster as a person with kubectl has it before them."""

    api: FakeApi
    controllers: Controllers
    operators: list[Running] = field(default_factory=list)

    def operate(self, user: str = "operator", identity: str = "", **rollout: Any) -> Running:
        """Start an operator. As a container that is started again, it may have the identity of another."""
        chosen = settings(identity or user, **rollout)
        self.operators.append(Running(self.api, chosen, user).start())
        return self.operators[-1]

    def create(self, name: str, **spec: Any) -> httpx.Response:
        """Make a model."""
        body = {
            "apiVersion": "pecia.dev/v1alpha1",
            "kind": "OCRModel",
            "metadata": {"name": name},
            "spec": {"engine": "rapid", **spec},
        }
        return httpx.post(f"{self.api.url}{MODELS}", json=body)

    def change(self, name: str, **spec: Any) -> None:
        """Change its spec; None removes a field."""
        self.patch(name, {"spec": spec})

    def patch(self, name: str, body: dict[str, Any]) -> None:
        """Any merge patch."""
        headers = {"Content-Type": "application/merge-patch+json"}
        httpx.patch(f"{self.api.url}{MODELS}/{name}", json=body, headers=headers).raise_for_status()

    def delete(self, name: str) -> None:
        """Delete it."""
        httpx.delete(f"{self.api.url}{MODELS}/{name}").raise_for_status()

    def get(self, plural: str, name: str) -> dict[str, Any] | None:
        """Any object."""
        return self.api.store.get(plural, name)

    def status(self, name: str) -> dict[str, Any]:
        """What is said of a model."""
        model = self.get("ocrmodels", name)
        return (model or {}).get("status") or {}

    def condition(self, name: str, kind: str) -> dict[str, Any]:
        """One of its conditions."""
        conditions = self.status(name).get("conditions", ())
        return next((one for one in conditions if one["type"] == kind), {})

    def wait(self, name: str, phase: str) -> dict[str, Any]:
        """Until a model is in a phase, at its newest generation."""

        def there() -> bool:
            model = self.get("ocrmodels", name)
            assert model
            status = model.get("status") or {}
            seen = status.get("observedGeneration") == model["metadata"]["generation"]
            return seen and status.get("phase") == phase

        try:
            until(there)
        except AssertionError:
            raise AssertionError(f"not {phase}: {self.status(name)} {self.controllers.errors}") from None
        return self.status(name)

    def revision(self, name: str) -> str:
        """Which revision its Deployment holds."""
        deployment = self.get("deployments", f"ocrmodel-{name}")
        assert deployment
        return str(deployment["spec"]["template"]["metadata"]["labels"]["pecia.dev/revision"])
