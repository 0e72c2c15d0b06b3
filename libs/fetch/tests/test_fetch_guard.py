"""Which URLs the fetcher refuses before anything is sent: by scheme, port, name, and address in any dress."""

import asyncio
from ipaddress import ip_address
from typing import Any

import pytest
from pecia_core.errors import PeciaError
from pecia_fetch.addresses import is_public
from pecia_fetch.fetcher import Fetcher
from pecia_fetch.settings import FetchSettings

_MAX = 1000


def _fetcher(**settings: Any) -> Fetcher:
    return Fetcher(FetchSettings(**({"allow_http": True, "timeout_s": 5.0} | settings)), _MAX)


async def _refusal(fetcher: Fetcher, url: str) -> PeciaError:
    with pytest.raises(PeciaError) as caught:
        await fetcher.fetch(url, param="url")
    return caught.value


@pytest.mark.parametrize(
    "host",
    ["localhost", "127.0.0.1", "[::1]", "0.0.0.0", "10.0.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1"]
    + [
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[fd00::1]",
    ]
    + ["017700000001", "0x7f.1", "[::127.0.0.1]", "[::ffff:7f00:1]", "[::]", "LOCALHOST"]
    + ["[fe80::1]", "224.0.0.1", "255.255.255.255", "[2002:7f00:1::]", "192.0.2.1", "198.18.0.1"],
)
async def test_every_disguise_of_a_private_address_is_refused(host: str) -> None:
    """By what it resolves to, however it is written."""
    error = await _refusal(_fetcher(allowed_private_hosts=()), f"http://{host}/")
    assert error.code == "invalid_image_url"


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",
        "127.0.0.2",
        "169.254.169.254",
        "172.31.0.1",
        "192.0.0.8",
        "192.0.2.1",
    ]
    + ["192.88.99.1", "192.168.0.1", "198.18.0.1", "203.0.113.9", "224.0.0.1", "240.0.0.1", "255.255.255.255"]
    + ["::", "::1", "::7f00:1", "::ffff:10.0.0.1", "::ffff:0:7f00:1", "64:ff9b::a00:1", "64:ff9b:1::808:808"]
    + [
        "100::1",
        "2001::1",
        "2001:2::1",
        "2001:10::1",
        "2001:0:7f00:1::f7f7:f7f7",
        "2001:db8::1",
        "2002:7f00:1::",
    ]
    + ["3fff::1", "5f00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1"],
)
def test_what_is_not_public(address: str) -> None:
    """Private, local, shared, reserved, multicast, examples, tunnels, and the same in other clothes."""
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "8.8.8.8", "2606:2800:220:1::1", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_what_is_public(address: str) -> None:
    """The guard is not a wall."""
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "ftp://example.org/a", "gopher://a", "http://", "https://u@h/", "https://u:p@h/"]
    + [
        "https://a@b@c/",
        "https://example.org\\@127.0.0.1/",
        "https://exa\tmple.org/",
        "ht\ntps://example.org/",
    ]
    + [
        "https://example.org:0/",
        "https://example.org:99999/",
        "https://example.org:x/",
        "//example.org/",
        "https:",
    ]
    + ["https://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/", "https://\uff11\uff12\uff17.0.0.1/", "https://127。0。0。1/", "https://[::1/"]
    + [
        "data:image/png;base64,AA==",
        "unix:///run/docker.sock",
        "jar:https://a!/b",
        "https://example.org/\x00",
    ],
)
async def test_other_schemes_and_odd_urls_are_refused(url: str) -> None:
    """Only https, http where allowed, and no user names."""
    assert (await _refusal(_fetcher(), url)).code == "invalid_image_url"


async def test_http_is_off_by_default() -> None:
    """Anybody on the way could change the picture."""
    assert (
        await _refusal(_fetcher(allow_http=False), "http://example.org/a.png")
    ).code == "invalid_image_url"


async def test_a_port_that_is_not_on_the_list_is_refused() -> None:
    """A public host's database is no picture."""

    async def public(_host: str, _port: int) -> list[str]:
        return ["93.184.216.34"]

    fetcher = Fetcher(FetchSettings(allow_http=True), _MAX, public)
    assert (await _refusal(fetcher, "http://example.org:5432/")).code == "invalid_image_url"


async def test_one_private_address_among_public_ones_is_refused() -> None:
    """It is an attack, not an alternative."""

    async def mixed(_host: str, _port: int) -> list[str]:
        return ["93.184.216.34", "10.0.0.1"]

    error = await _refusal(Fetcher(FetchSettings(), _MAX, mixed), "https://mixed.example/")
    assert error.code == "invalid_image_url"


@pytest.mark.parametrize("host", ["a..b", "a" * 70 + ".com", ".", "exa mple.com", "-a", "[v1.x]"])
async def test_what_can_be_no_name_is_no_crash(host: str) -> None:
    """Codecs and resolvers complain in ways of their own."""
    assert (await _refusal(_fetcher(), f"http://{host}/")).code in {
        "failed_to_download_image",
        "invalid_image_url",
    }


async def test_a_name_that_takes_forever_is_left() -> None:
    """Looking a name up counts against the same time."""

    async def never(_host: str, _port: int) -> list[str]:
        await asyncio.sleep(60)
        return []

    fetcher = Fetcher(FetchSettings(timeout_s=0.2), _MAX, never)
    assert (await _refusal(fetcher, "https://slow.example/")).code == "failed_to_download_image"
