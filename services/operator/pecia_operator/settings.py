"""Every knob of the operator: unit, default, reason. The only reader of the environment."""

import socket

from pydantic import BaseModel, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from pecia_operator.names import GRPC_PORT


class OperatorSettings(BaseModel):
    """What the operator looks after, and what every pod it makes has in common."""

    namespace: str = Field("default", description="Namespace whose OCRModels are looked after, and no other.")
    fleet: str = Field(
        "pecia", description="Value of the label pecia.dev/fleet: what gateway and workers ask."
    )
    identity: str = Field(
        default_factory=socket.gethostname,
        description="Name of this process in the lease; the pod's name.",
        json_schema_extra={"default_text": "the host's name"},
    )
    ocr_image: str = Field("pecia/ocr:0.1.0", description="Image of pods with a CPU engine.")
    ocr_gpu_image: str = Field("pecia/ocr-cuda:0.1.0", description="Image of pods with engine deepseek.")
    weights_image: str = Field(
        "pecia/operator:0.1.0", description="Image that fetches and checks weights: the operator's own."
    )
    image_pull_policy: str = Field("IfNotPresent", description="Of every container that is made.")
    image_pull_secrets: tuple[str, ...] = Field(
        (), description='Names of Secrets for every pod; JSON, such as ["registry"].'
    )
    service_account: str = Field(
        "default",
        description="ServiceAccount of pods whose OCRModel names none; it needs no rights.",
    )
    ocr_env: str = Field(
        "",
        description="Name of a ConfigMap and of a Secret, both optional, with settings of every reading pod.",
    )
    ocr_secrets: dict[str, str] = Field(
        default_factory=dict,
        description="Secrets mounted as folders into every reading pod, for certificates and keys: name to "
        'path, as JSON, such as {"pecia-tls": "/etc/pecia/tls"}.',
    )
    model_key_secret: str = Field(
        "",
        description="Secret with the PEM public key `signing.pub` of whoever may sign models: weights that "
        "it has not signed are refused before any pod is touched. Empty = no signature is asked for.",
    )
    probe_port: int = Field(
        GRPC_PORT,
        ge=1,
        le=65535,
        description="Port the kubelet asks for health. With TLS on, the ocr service's plaintext health port.",
    )
    drain_s: int = Field(
        300, ge=1, description="Seconds a stopping pod has for the pages it reads: the longest request."
    )
    prestop_s: int = Field(
        10, ge=0, description="Seconds a stopping pod goes on taking pages, until every caller knows."
    )


class RolloutSettings(BaseModel):
    """How long is waited before something counts as failed."""

    resync_s: float = Field(
        60.0, gt=0, description="Seconds between looks at every model, whether something happened or not."
    )
    patience_s: float = Field(
        120.0,
        ge=0,
        description="Seconds an image may be away before its revision has failed: registries hiccup.",
    )
    crashes: int = Field(
        2, ge=1, description="Times a new revision's pod may end before it is ready until it has failed."
    )
    scheduling_s: int = Field(
        900, ge=0, description="Seconds, beside those to load, for node and image: a GPU node takes minutes."
    )
    weights_retry_s: float = Field(
        600.0, gt=0, description="Seconds after which weights that failed their check are looked at again."
    )
    history: int = Field(3, ge=0, description="Former revisions that are kept, to look at.")


class LeaseSettings(BaseModel):
    """The lease that keeps two operators from acting at once."""

    name: str = Field("pecia-operator", description="Name of the coordination.k8s.io Lease.")
    duration_s: float = Field(
        15.0, ge=1, description="Seconds after its last renewal when another operator may take over."
    )
    renew_s: float = Field(
        10.0,
        gt=0,
        description="Seconds without a renewal after which this one stops acting; below duration_s.",
    )
    retry_s: float = Field(2.0, gt=0, description="Seconds between tries to renew or to take it.")


class ProbeSettings(BaseModel):
    """Where the kubelet looks."""

    host: str = Field("127.0.0.1", description="Address of /healthz. 0.0.0.0 in a container.")
    port: int = Field(8080, ge=0, le=65535, description="TCP port of /healthz; 0 = none.")


class TelemetrySettings(BaseModel):
    """Logs."""

    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR.")


class Settings(BaseSettings):
    """The operator. Environment names are PECIA_<GROUP>__<FIELD>."""

    model_config = SettingsConfigDict(env_prefix="PECIA_", env_nested_delimiter="__", extra="ignore")

    operator: OperatorSettings = Field(default_factory=OperatorSettings)
    rollout: RolloutSettings = Field(default_factory=RolloutSettings)
    lease: LeaseSettings = Field(default_factory=LeaseSettings)
    probe: ProbeSettings = Field(default_factory=ProbeSettings)
    telemetry: TelemetrySettings = Field(default_factory=TelemetrySettings)
