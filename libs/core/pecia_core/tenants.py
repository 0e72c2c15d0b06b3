"""Tenants as folders: where what belongs to one lies, in every store."""

import re
from hashlib import sha256

_LETTERS = 40
_DIGITS = 12


def tenant_slug(tenant: str) -> str:
    """The tenant as a folder: no two tenants share one, whatever the file system thinks of case."""
    letters = re.sub(r"[^a-z0-9]+", "-", tenant.lower()).strip("-")[:_LETTERS]
    return f"{letters or 'tenant'}-{sha256(tenant.encode()).hexdigest()[:_DIGITS]}"
