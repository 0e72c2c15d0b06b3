"""The spec of an OCRModel as types. The definition in helm/pecia-crds says the same; a test compares them.

The API server has checked all this before. It is checked again because the definition in a cluster may be
older than the operator, and the same defaults are filled in.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pecia_core.errors import InvalidRequest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

Engine = Literal["rapid", "tesseract", "deepseek"]
Memory = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?(Mi|Gi|M|G)$")]
Folder = Annotated[str, Field(max_length=512, pattern=r"^([^/.][^/]*(/[^/.][^/]*)*)?$")]
Name = Annotated[str, Field(min_length=1)]
Web = Annotated[str, Field(pattern=r"^https?://")]


class _Part(BaseModel):
    """Unknown fields are passed over: they are of a definition newer than this operator."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


class S3Source(_Part):
    """A folder in a bucket."""

    bucket: str = Field(min_length=3, max_length=63)
    prefix: str = Field("", max_length=512)
    region: Name = "us-east-1"
    endpoint: Annotated[Web, Field(max_length=512)] | None = None
    credentials_secret: Name | None = None


class PvcSource(_Part):
    """A folder of a volume that somebody filled."""

    claim_name: Name
    path: Folder = ""


class ImageSource(_Part):
    """An OCI image, mounted as a volume."""

    reference: Name
    path: Folder = ""


class HuggingFaceSource(_Part):
    """A repository at one commit."""

    repository: str = Field(max_length=128, pattern=r"^[\w.-]+/[\w.-]+$")
    revision: str = Field(pattern=r"^[0-9a-f]{40}$")
    token_secret: Name | None = None


class Manifest(_Part):
    """What the files have to be."""

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    config_map: Name | None = None


class Cache(_Part):
    """A volume that keeps what was fetched."""

    size: str = Field("20Gi", pattern=r"^[0-9]+(Gi|Ti)$")
    storage_class_name: Name | None = None
    access_mode: Literal["ReadWriteOnce", "ReadWriteMany"] = "ReadWriteMany"


class Weights(_Part):
    """Where a checkpoint lies; exactly one source."""

    s3: S3Source | None = None
    pvc: PvcSource | None = None
    image: ImageSource | None = None
    hugging_face: HuggingFaceSource | None = None
    manifest: Manifest | None = None
    cache: Cache | None = None

    @property
    def fetched(self) -> bool:
        """Whether the files have to be brought here, rather than mounted where they are."""
        return self.s3 is not None or self.hugging_face is not None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        given = [source for source in (self.s3, self.pvc, self.image, self.hugging_face) if source]
        if len(given) != 1:
            raise ValueError("name exactly one source of weights: s3, pvc, image or huggingFace")
        if self.hugging_face and not (self.manifest and self.manifest.config_map):
            raise ValueError("huggingFace needs spec.weights.manifest.configMap")
        if self.cache and not self.fetched:
            raise ValueError("only weights from s3 or huggingFace can be cached")
        return self


class Resources(_Part):
    """What one pod needs."""

    gpu: int = Field(0, ge=0, le=1)
    cpu: str = Field("2", pattern=r"^[0-9]+(\.[0-9]{1,3})?$|^[0-9]+m$")
    memory: Memory = "3Gi"
    shared_memory: Memory = "2Gi"
    weights_disk: str = Field("20Gi", pattern=r"^[0-9]+(\.[0-9]+)?(Mi|Gi|M|G|Ti|T)$")


class QueueTrigger(_Part):
    """Scaling by pages that wait."""

    authentication_ref: Name
    pages_per_replica: int = Field(64, ge=1, le=100_000)


class InFlightTrigger(_Part):
    """Scaling by pages in hand."""

    server_address: Web
    pages_per_replica: int = Field(16, ge=1, le=1000)
    query: Annotated[str, Field(min_length=1, max_length=2048)] | None = None


class Scaling(_Part):
    """How many pods KEDA may choose between, and by what."""

    min_replicas: int = Field(1, ge=0, le=1000)
    max_replicas: int = Field(4, ge=1, le=1000)
    scale_down_delay_seconds: int = Field(600, ge=0, le=86_400)
    queue: QueueTrigger | None = None
    in_flight: InFlightTrigger | None = None

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.min_replicas > self.max_replicas:
            raise ValueError("minReplicas must not be above maxReplicas")
        if not (self.queue or self.in_flight):
            raise ValueError("say what to scale on: queue, inFlight, or both")
        if self.min_replicas == 0 and not self.queue:
            raise ValueError("only the queue can wake a model from zero pods")
        return self


class Rollout(_Part):
    """How a new revision takes over. A Canary would be another strategy with a field of its own."""

    strategy: Literal["Surge", "Replace"] = "Surge"


class Startup(_Part):
    """What is granted to a pod that starts."""

    timeout_seconds: int = Field(900, ge=30, le=7200)


class Toleration(_Part):
    """As Kubernetes has it."""

    key: str | None = None
    operator: Literal["Exists", "Equal"] = "Equal"
    value: str | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None


class Scheduling(_Part):
    """Where pods may run."""

    node_selector: dict[str, Annotated[str, Field(max_length=63)]] | None = Field(None, max_length=32)
    tolerations: list[Toleration] | None = Field(None, max_length=32)
    priority_class_name: Name | None = None


class ModelSpec(_Part):
    """One OCRModel's `spec`."""

    engine: Engine
    image: Name | None = None
    image_pull_secrets: list[Name] | None = Field(None, max_length=8)
    replicas: int = Field(1, ge=0, le=1000)
    service_account_name: Name | None = None
    env: dict[str, Annotated[str, Field(max_length=4096)]] | None = Field(None, max_length=64)
    resources: Resources = Field(default_factory=Resources)
    weights: Weights | None = None
    scaling: Scaling | None = None
    rollout: Rollout = Field(default_factory=Rollout)
    startup: Startup = Field(default_factory=Startup)
    scheduling: Scheduling = Field(default_factory=Scheduling)

    @model_validator(mode="after")
    def _fits_the_engine(self) -> Self:
        if (self.engine == "deepseek") != (self.weights is not None):
            raise ValueError("engine deepseek needs spec.weights, and no other engine takes any")
        if self.engine != "deepseek" and self.resources.gpu:
            raise ValueError("only engine deepseek computes on a GPU")
        return self


def parse_spec(spec: Mapping[str, Any]) -> ModelSpec:
    """The spec as types.

    Raises:
        InvalidRequest: it makes no sense; the message names the field.
    """
    try:
        return ModelSpec.model_validate(spec)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(["spec", *(str(part) for part in first["loc"])])
        said = str(first["msg"]).removeprefix("Value error, ")
        raise InvalidRequest(f"{place}: {said}. Change it, and the model is tried again.") from error
