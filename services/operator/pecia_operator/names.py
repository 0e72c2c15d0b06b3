"""The names that objects in the cluster carry, and by which they are found again."""

GROUP = "pecia.dev"
VERSION = "v1alpha1"
KIND = "OCRModel"
PLURAL = "ocrmodels"
API_VERSION = f"{GROUP}/{VERSION}"

# Who owns the fields that the operator sets, in every object's managedFields.
FIELD_MANAGER = "pecia-operator"

# On every object that belongs to a model, with the model's name.
MODEL_LABEL = f"{GROUP}/model"
# On every pod that reads pages; the fleet's Service selects it.
FLEET_LABEL = f"{GROUP}/fleet"
# On pods, ReplicaSets and what a revision is made of.
REVISION_LABEL = f"{GROUP}/revision"
# Pods of a model are of one of these components.
COMPONENT_LABEL = "app.kubernetes.io/component"
READER = "ocr"
WEIGHTS = "weights"
# On an OCRModel: any new value tries a revision or weights that failed once more.
RETRY_ANNOTATION = f"{GROUP}/retry"
# On a pod template: what the configuration shared by all pods was when the revision was made.
SHARED_ENV_ANNOTATION = f"{GROUP}/shared-env"

GPU = "nvidia.com/gpu"
GRPC_PORT = 50051
METRICS_PORT = 9090
HEALTH_SERVICE = "pecia.ocr.v1.OcrService"
WEIGHTS_FOLDER = "/models"


def object_name(model: str) -> str:
    """Of a model's Deployment, Service, PodDisruptionBudget and ScaledObject."""
    return f"ocrmodel-{model}"


def revision_name(model: str, revision: str) -> str:
    """Of what belongs to one revision: its ConfigMap and its ControllerRevision."""
    return f"{object_name(model)}-{revision}"


def weights_name(model: str, key: str) -> str:
    """Of the Job that checks weights, and of the claim that keeps them. At most 60 characters."""
    return f"{object_name(model)}-w-{key}"
