"""AWS Secrets Manager, or what stands for it, where the tests write and delete."""

import contextlib
from collections.abc import Mapping

import boto3  # type: ignore[import-untyped]

_ANYBODY = {"aws_access_key_id": "tests", "aws_secret_access_key": "tests"}


class Vault:
    """Secrets by their names."""

    def __init__(self, endpoint: str, region: str) -> None:
        """The one of that region; `endpoint` is an URL."""
        self._client = boto3.client("secretsmanager", endpoint_url=endpoint, region_name=region, **_ANYBODY)

    def put(self, secrets: Mapping[str, str]) -> None:
        """Each with a new version, or made."""
        for name, value in secrets.items():
            try:
                self._client.put_secret_value(SecretId=name, SecretString=value)
            except self._client.exceptions.ResourceNotFoundException:
                self._client.create_secret(Name=name, SecretString=value)

    def remove(self, *names: str) -> None:
        """For good, where they are."""
        for name in names:
            with contextlib.suppress(self._client.exceptions.ResourceNotFoundException):
                self._client.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
