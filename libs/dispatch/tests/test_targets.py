"""From the target in the settings to addresses."""

import pytest
from pecia_dispatch.addresses import Endpoint, parse_target, resolve


def test_a_target_is_names_and_ports() -> None:
    """Several, with and without port, in brackets, with gRPC's prefix."""
    assert parse_target("ocr:1, dns:///[::1]:2,pods.svc ,") == (
        Endpoint("ocr", 1),
        Endpoint("::1", 2),
        Endpoint("pods.svc", 50051),
    )


@pytest.mark.parametrize("target", ["ocr:port", ":50051", "[::1]:x"])
def test_what_is_no_target_stops_the_start(target: str) -> None:
    """Better now than at the first page."""
    with pytest.raises(ValueError, match="name:port"):
        parse_target(target)


async def test_a_pod_with_two_families_is_one_pod() -> None:
    """IPv4 where there is any; else what there is."""

    async def lookup(host: str) -> list[str]:
        return ["::1", "10.0.0.1"] if host == "both" else ["::1"]

    found = await resolve(parse_target("both:1,six:2"), lookup)
    assert found is not None
    assert {str(address) for address in found} == {"10.0.0.1:1", "[::1]:2"}
