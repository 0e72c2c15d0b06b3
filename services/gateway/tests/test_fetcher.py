"""The guarded fetcher against real servers, and against every disguise of a private address."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pecia_core.errors import InvalidRequest, PeciaError, TooLarge
from pecia_gateway.intake.addresses import is_public
from pecia_gateway.intake.fetcher import Fetcher
from pecia_gateway.settings import FetchSettings

_MAX = 1000
Answer = Callable[[str], bytes]


def _reply(status: str, *headers: str, body: bytes = b"") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "Connection: close", "", ""]).encode() + body


@asynccontextmanager
async def _web(answer: Answer, *, drip: bool = False) -> AsyncIterator[tuple[str, list[str]]]:
    """A server of our own; gives its base URL and the paths it was asked for."""
    asked: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        asked.append(head.split()[1])
        try:
            writer.write(answer(head.split()[1]))
            for _ in range(200 if drip else 0):
                writer.write(b"x" * 100)
                await writer.drain()
                await asyncio.sleep(0.02)
            await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked


def _fetcher(**settings: Any) -> Fetcher:
    ours = {"allow_http": True, "allowed_private_hosts": ("127.0.0.1/32",), "timeout_s": 5.0}
    return Fetcher(FetchSettings(**(ours | settings)), _MAX)


async def _refusal(fetcher: Fetcher, url: str) -> PeciaError:
    with pytest.raises(PeciaError) as caught:
        await fetcher.fetch(url, param="url")
    return caught.value


async def test_a_file_is_fetched() -> None:
    """Its bytes and the type its server claims."""
    async with _web(lambda _: _reply("200 OK", "Content-Type: image/PNG; x=y", body=b"picture")) as (base, _):
        upload = await _fetcher().fetch(f"{base}/a.png?b=c#d", param="url")
    assert (upload.data, upload.media_type) == (b"picture", "image/png")


async def test_a_private_address_is_refused_unless_it_was_named() -> None:
    """The same server, without the setting: nothing arrives there."""
    async with _web(lambda _: _reply("200 OK", body=b"secret")) as (base, asked):
        error = await _refusal(_fetcher(allowed_private_hosts=()), base)
    assert (error.code, error.param, asked) == ("invalid_image_url", "url", [])


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
    + ["[fe80::1]", "224.0.0.1", "255.255.255.255", "[2002:7f00:1::]", "192.0.2.1", "198.18.0.1"],
)
async def test_every_disguise_of_a_private_address_is_refused(host: str) -> None:
    """By what it resolves to, however it is written."""
    error = await _refusal(_fetcher(allowed_private_hosts=()), f"http://{host}/")
    assert error.code in {"invalid_image_url", "failed_to_download_image"}


async def test_a_public_address_is_allowed() -> None:
    """The guard is not a wall."""
    from ipaddress import ip_address  # noqa: PLC0415 - only here

    assert is_public(ip_address("93.184.216.34"))
    assert is_public(ip_address("2606:2800:220:1::1"))


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://example.org/a", "gopher://a", "http://", "https://u@h/"]
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


async def test_the_checked_address_is_the_one_that_is_asked() -> None:
    """A name that answers differently the second time is looked up once only."""
    answers = iter([["127.0.0.1"], ["169.254.169.254"]])

    async def rebinding(_host: str, _port: int) -> list[str]:
        return next(answers)

    async with _web(lambda _: _reply("200 OK", body=b"picture")) as (base, _):
        port = base.rpartition(":")[2]
        settings = FetchSettings(allow_http=True, allowed_private_hosts=("127.0.0.1",))
        upload = await Fetcher(settings, _MAX, rebinding).fetch(f"http://evil.example:{port}/", param="url")
    assert upload.data == b"picture"
    assert next(answers) == ["169.254.169.254"]


async def test_one_private_address_among_public_ones_is_refused() -> None:
    """It is an attack, not an alternative."""

    async def mixed(_host: str, _port: int) -> list[str]:
        return ["93.184.216.34", "10.0.0.1"]

    error = await _refusal(Fetcher(FetchSettings(), _MAX, mixed), "https://mixed.example/")
    assert error.code == "invalid_image_url"


async def test_redirects_are_followed_and_each_is_checked() -> None:
    """To ourselves three times; never to where no caller may go."""

    def answer(path: str) -> bytes:
        if path == "/private":
            return _reply("302 Found", "Location: http://169.254.169.254/latest/meta-data")
        if path == "/file":
            return _reply("302 Found", "Location: file:///etc/passwd")
        if path == "/loop":
            return _reply("302 Found", "Location: /loop")
        if path == "/2":
            return _reply("200 OK", body=b"picture")
        return _reply("301 Moved", f"Location: /{int(path.strip('/') or 0) + 1}")

    async with _web(answer) as (base, asked):
        assert (await _fetcher().fetch(f"{base}/", param="url")).data == b"picture"
        assert asked == ["/", "/1", "/2"]
        assert (await _refusal(_fetcher(), f"{base}/private")).code == "invalid_image_url"
        assert (await _refusal(_fetcher(), f"{base}/file")).code == "invalid_image_url"
        assert (await _refusal(_fetcher(), f"{base}/loop")).code == "failed_to_download_image"
        assert asked.count("/loop") == 4


async def test_a_body_that_never_ends_is_cut_at_the_limit() -> None:
    """No more is read than the limit, whatever the server promises."""
    async with _web(lambda _: _reply("200 OK", body=b"x" * (_MAX + 1)), drip=True) as (base, _):
        with pytest.raises(TooLarge):
            await _fetcher().fetch(base, param="url")


async def test_a_server_that_drips_is_left() -> None:
    """The whole download has a time."""
    async with _web(lambda _: _reply("200 OK"), drip=True) as (base, _):
        error = await _refusal(_fetcher(timeout_s=0.1), base)
    assert error.code == "failed_to_download_image"


@pytest.mark.parametrize("head", [b"nonsense\r\n\r\n", _reply("404 Not Found"), _reply("500 Broken")])
async def test_what_is_no_answer_is_a_failed_download(head: bytes) -> None:
    """An error page is not a picture."""
    async with _web(lambda _: head) as (base, _):
        error = await _refusal(_fetcher(), base)
    assert isinstance(error, InvalidRequest)
    assert error.code == "failed_to_download_image"
