"""The guarded fetcher against real servers, and against every disguise of a private address."""

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from pecia_core.errors import InvalidRequest, Overloaded, PeciaError, TooLarge
from pecia_fetch.fetcher import Fetcher
from pecia_fetch.settings import FetchSettings

_MAX = 1000
Answer = Callable[[str], bytes]


def _reply(status: str, *headers: str, body: bytes = b"") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "Connection: close", "", ""]).encode() + body


@asynccontextmanager
async def _web(
    answer: Answer,
    *,
    drip: bool = False,
    heads: list[str] | None = None,
    certificate: trustme.LeafCert | None = None,
) -> AsyncIterator[tuple[str, list[str]]]:
    """A server of our own; gives its base URL and the paths it was asked for."""
    asked: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        asked.append(head.split()[1])
        if heads is not None:
            heads.append(head)
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

    tls = None
    if certificate is not None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        certificate.configure_cert(tls)
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
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


async def test_a_promise_of_too_much_is_not_waited_for() -> None:
    """The head says it: not a byte of the body is read."""
    async with _web(lambda _: _reply("200 OK", f"Content-Length: {_MAX + 1}")) as (base, _):
        with pytest.raises(TooLarge):
            await _fetcher().fetch(base, param="url")


async def test_a_head_that_drips_is_left() -> None:
    """A header line that never ends counts against the same time."""
    async with _web(lambda _: b"HTTP/1.1 200 OK\r\nX-Slow: ", drip=True) as (base, _):
        error = await _refusal(_fetcher(timeout_s=0.3), base)
    assert error.code == "failed_to_download_image"


async def test_headers_without_end_are_left() -> None:
    """A head is a few lines; one that grows is no answer."""
    endless = b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: %s\r\n" % (n, b"y" * 1000) for n in range(300))
    async with _web(lambda _: endless, drip=True) as (base, _):
        assert (await _refusal(_fetcher(), base)).code == "failed_to_download_image"


async def test_answers_before_the_answer_are_no_way_to_stay() -> None:
    """A server may send any number of 1xx; the time it has is the same."""
    async with _web(lambda _: b"HTTP/1.1 103 Early Hints\r\n\r\n" * 20_000, drip=True) as (base, _):
        assert (await _refusal(_fetcher(timeout_s=1), base)).code == "failed_to_download_image"


async def test_a_small_body_that_unpacks_to_much_is_not_unpacked() -> None:
    """What arrives is what counts: nobody asked for compression, and nobody undoes it."""
    bomb = gzip.compress(bytes(100_000))
    assert len(bomb) < _MAX
    async with _web(lambda _: _reply("200 OK", "Content-Encoding: gzip", body=bomb)) as (base, _):
        assert (await _fetcher().fetch(base, param="url")).data == bomb


async def test_a_redirect_does_not_lead_from_https_to_http() -> None:
    """Each hop is checked as if it were the first."""
    authority = trustme.CA()

    def answer(_path: str) -> bytes:
        return _reply("302 Found", "Location: http://127.0.0.1/")

    certificate = authority.issue_cert("127.0.0.1")
    async with _web(answer, certificate=certificate) as (base, asked):
        with authority.cert_pem.tempfile() as file:
            error = await _refusal(
                _fetcher(allow_http=False, ca_file=Path(file)), base.replace("http", "https")
            )
    assert (error.code, asked) == ("invalid_image_url", ["/"])


async def test_downloads_at_once_are_bounded() -> None:
    """Who finds no room in time hears that it was for want of room."""
    fetcher = _fetcher(timeout_s=0.2, max_concurrent=1)
    async with _web(lambda _: _reply("200 OK", body=b"picture")) as (base, asked):
        async with fetcher._room:
            error = await _refusal(fetcher, base)
        assert (error.code, asked) == ("queue_full", [])
        assert (await fetcher.fetch(base, param="url")).data == b"picture"


async def test_a_second_address_is_tried_when_the_first_does_not_answer() -> None:
    """Names with two families are read on machines with one."""

    async def two(_host: str, _port: int) -> list[str]:
        return ["127.0.0.3", "127.0.0.1"]

    async with _web(lambda _: _reply("200 OK", body=b"picture")) as (base, _):
        settings = FetchSettings(allow_http=True, allowed_private_hosts=("127.0.0.0/8",))
        url = base.replace("127.0.0.1", "two.example")
        assert (await Fetcher(settings, _MAX, two).fetch(url, param="url")).data == b"picture"


async def test_a_private_host_may_be_named(tmp_path: Path) -> None:
    """By its name; https checks that name's certificate although an address is dialled."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")

    async def here(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    certificate = authority.issue_cert("files.internal")
    async with _web(lambda _: _reply("200 OK", body=b"picture"), certificate=certificate) as (base, _):
        port = base.rpartition(":")[2]
        names = ("files.internal", "other.internal")
        settings = FetchSettings(allowed_private_hosts=names, ca_file=tmp_path / "ca.pem")
        fetcher = Fetcher(settings, _MAX, here)
        upload = await fetcher.fetch(f"https://FILES.internal:{port}/", param="url")
        assert upload.data == b"picture"
        error = await _refusal(fetcher, f"https://other.internal:{port}/")
        assert error.code == "failed_to_download_image"
        assert (await _refusal(fetcher, f"https://unnamed.internal:{port}/")).code == "invalid_image_url"


async def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would resolve names by itself, behind the guard."""
    async with (
        _web(lambda _: _reply("200 OK", body=b"by proxy")) as (proxy, through_proxy),
        _web(lambda _: _reply("200 OK", body=b"picture")) as (base, _),
    ):
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy)
        assert (await _fetcher().fetch(base, param="url")).data == b"picture"
    assert through_proxy == []


async def test_cookies_and_credentials_are_not_carried_along() -> None:
    """What one hop sets is not told to the next."""
    heads: list[str] = []

    def answer(path: str) -> bytes:
        return (
            _reply("302 Found", "Set-Cookie: a=b", "Location: /2")
            if path == "/"
            else _reply("200 OK", body=b"x")
        )

    async with _web(answer, heads=heads) as (base, _):
        await _fetcher().fetch(base + "/", param="url")
    assert len(heads) == 2
    assert not any("cookie" in head.lower() or "authorization" in head.lower() for head in heads)


async def test_every_piece_is_weighed_before_it_is_kept() -> None:
    """Whoever counts may refuse; then no more is read, and the refusal is theirs."""
    weighed: list[int] = []

    def weigh(count: int) -> None:
        weighed.append(count)
        if sum(weighed) > 500:
            raise Overloaded("No room.")

    async with _web(lambda _: _reply("200 OK", "Content-Type: image/png"), drip=True) as (base, _):
        with pytest.raises(Overloaded, match="No room"):
            await _fetcher().fetch(base, param="url", weigh=weigh)
    assert 500 < sum(weighed) < 1000
    weighed.clear()
    async with _web(lambda _: _reply("200 OK", body=b"picture")) as (base, _):
        await _fetcher().fetch(base, param="url", weigh=weigh)
    assert sum(weighed) == len(b"picture")
