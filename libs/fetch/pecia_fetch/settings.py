"""What may be asked of the world outside: groups of settings of every service that fetches or posts."""

from pecia_core.settings import CommaList, NamedPath
from pydantic import BaseModel, Field


class GuardSettings(BaseModel):
    """Which addresses may be asked."""

    allow_http: bool = Field(
        default=False, description="Also ask http: URLs, whose answers anybody on the way can change."
    )
    connect_timeout_s: float = Field(5.0, gt=0, description="Seconds a connection may take.")
    allowed_ports: tuple[int, ...] = Field((80, 443, 8080, 8443), description="Ports that may be asked.")
    allowed_private_hosts: CommaList = Field(
        (),
        description="Comma-separated networks, addresses or exact names that may be asked, on any port, "
        "although they are not public: your own file server. Everything private is refused otherwise.",
    )
    ca_file: NamedPath | None = Field(
        None, description="PEM authorities for https instead of the well-known ones."
    )


class FetchSettings(GuardSettings):
    """Pictures named by URL."""

    timeout_s: float = Field(
        20.0,
        gt=0,
        description="Seconds a download may take altogether, redirects included: slow servers end here.",
    )
    max_redirects: int = Field(3, ge=0, description="Redirects followed, each one checked again.")
    max_concurrent: int = Field(16, ge=1, description="Downloads at once, so that they cannot fill memory.")


class PostSettings(GuardSettings):
    """Messages to addresses that callers named. Redirects are never followed."""

    timeout_s: float = Field(
        15.0, gt=0, description="Seconds one message may take, from looking its address up to the answer."
    )
    max_concurrent: int = Field(
        32, ge=1, description="Messages on their way at once, each on its own connection."
    )
