"""What operators ask of a gateway, with a key of the scope `admin`."""

from typing import Any

from pecia_client.connection import Connection
from pecia_client.reading import Json


class Administration:
    """Keys and tenants. Every failure is a PeciaError."""

    def __init__(self, connection: Connection) -> None:
        """Over the client's connections."""
        self._connection = connection

    def keys(self) -> list[dict[str, Any]]:
        """Each key as docs/API.md tells it, `last_used_at` included."""
        found: list[dict[str, Any]] = self._connection.json("/v1/keys")["keys"]
        return found

    def tenant(self, name: str) -> Json:
        """What there is of a tenant."""
        return self._connection.json(f"/v1/tenants/{name}")

    def delete_tenant(self, name: str) -> Json:
        """Delete all of it; gives the receipt."""
        receipt: Json = self._connection.send("DELETE", f"/v1/tenants/{name}", repeatable=True).json()
        return receipt
