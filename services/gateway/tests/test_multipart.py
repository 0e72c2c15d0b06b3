"""Multipart bodies: what is taken in, in what order, and what is refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pecia_core.errors import InvalidRequest, PeciaError, TooLarge, UnsupportedDocument
from pecia_gateway.intake import Form, UploadLimits, read_form, read_uploads
from pecia_gateway.settings import LimitSettings
from starlette.requests import Request

_LIMITS = UploadLimits(max_file_bytes=3_000_000, max_files=3, max_parts=6)
_TYPE = "multipart/form-data; boundary=b"


def _part(name: str, data: bytes, *, filename: str | None = "a.png", media_type: str = "image/png") -> bytes:
    named = f'; filename="{filename}"' if filename is not None else ""
    typed = f"Content-Type: {media_type}\r\n" if media_type else ""
    return (
        f'--b\r\nContent-Disposition: form-data; name="{name}"{named}\r\n{typed}\r\n'.encode()
        + data
        + b"\r\n"
    )


def _request(body: bytes, content_type: str = _TYPE, step: int = 65536) -> Request:
    pieces = [body[start : start + step] for start in range(0, len(body), step)] or [b""]

    async def receive() -> dict[str, Any]:
        piece = pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    scope = {"type": "http", "method": "POST", "headers": [(b"content-type", content_type.encode("latin-1"))]}
    return Request(scope, receive)


async def _form(*parts: bytes, end: bytes = b"--b--\r\n", step: int = 65536) -> Form:
    return await read_form(_request(b"".join(parts) + end, step=step), _LIMITS)


@pytest.mark.parametrize("name", ["file", "files", "files[]"])
@pytest.mark.parametrize("step", [1, 7, 65536])
async def test_a_file_arrives_whole(name: str, step: int) -> None:
    """Under each of the field's names, however it is cut on the way."""
    (upload,) = (await _form(_part(name, b"\r\n--picture\r\n"), step=step)).uploads
    assert (upload.data, upload.media_type, upload.filename) == (b"\r\n--picture\r\n", "image/png", "a.png")


async def test_a_large_file_arrives_whole() -> None:
    """Parts over a megabyte take another way inside."""
    data = bytes(range(256)) * 10_000
    assert (await _form(_part("file", data))).uploads[0].data == data


async def test_files_keep_their_order_and_fields_their_values() -> None:
    """Whatever the files' fields are called."""
    form = await _form(
        _part("files", b"1"),
        _part("language", b"ind", filename=None, media_type=""),
        _part("file", b"2"),
        _part("files[]", b"3"),
    )
    assert [upload.data for upload in form.uploads] == [b"1", b"2", b"3"]
    assert form.fields == {"language": "ind"}


@pytest.mark.parametrize(
    "media_type", ["", "image/jpeg", "IMAGE/PNG; x=y", "application/octet-stream", "application/pdf"]
)
async def test_types_that_fit_or_say_nothing_are_taken(media_type: str) -> None:
    """What the file is, its bytes will say."""
    assert (await _form(_part("file", b"x", media_type=media_type))).uploads[0].data == b"x"


@pytest.mark.parametrize("media_type", ["text/html", "application/json", "video/mp4"])
async def test_types_that_are_something_else_are_refused(media_type: str) -> None:
    """415, before any byte is looked at."""
    with pytest.raises(UnsupportedDocument) as caught:
        await _form(_part("file", b"\x89PNG\r\n\x1a\n", media_type=media_type))
    assert caught.value.param == "file"


@pytest.mark.parametrize(
    "content_type", ["application/json", "", "text/plain", "application/x-www-form-urlencoded"]
)
async def test_other_bodies_are_told_what_to_send(content_type: str) -> None:
    """The message shows how."""
    with pytest.raises(UnsupportedDocument, match="curl -F"):
        await read_form(_request(b"{}", content_type), _LIMITS)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--b--\r\n",
        b"nonsense",
        b"--b\r\n",
        _part("file", b"x"),
        _part("file", b"x")[:-20],
        b"--b\r\nX\r\n\r\n\r\n",
    ],
)
async def test_a_broken_body_is_a_bad_request(body: bytes) -> None:
    """Cut off, empty, or never multipart."""
    with pytest.raises(InvalidRequest):
        await read_form(_request(body), _LIMITS)


@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary="])
async def test_a_body_without_a_boundary_is_a_bad_request(content_type: str) -> None:
    """Written by hand, mostly."""
    with pytest.raises(InvalidRequest):
        await read_form(_request(_part("file", b"x") + b"--b--", content_type), _LIMITS)


@pytest.mark.parametrize(
    "parts",
    [
        [_part("picture", b"x")],
        [_part("file", b"x", filename=None, media_type="")],
        [_part("model", b"rapid", filename=None, media_type="")],
    ],
)
async def test_a_form_without_a_file_names_the_field(parts: list[bytes]) -> None:
    """Another field's name, or text where a file should be."""
    with pytest.raises(InvalidRequest) as caught:
        await _form(*parts)
    assert (caught.value.code, caught.value.param) == ("missing_required_parameter", "file")


async def test_the_file_limit_is_exact() -> None:
    """The last allowed byte passes, the next does not."""
    most = _LIMITS.max_file_bytes
    assert len((await _form(_part("file", b"x" * most))).uploads[0].data) == most
    with pytest.raises(TooLarge) as caught:
        await _form(_part("file", b"x" * (most + 1)))
    assert caught.value.code == "image_file_too_large"


async def test_of_several_files_one_may_be_too_large() -> None:
    """The others have outcomes of their own; of the large one no more is kept than shows that it is."""
    form = await _form(_part("files", b"x" * 5_000_000), _part("files", b"small"))
    assert [len(upload.data) for upload in form.uploads] == [_LIMITS.max_file_bytes + 1, 5]


async def test_too_many_files_are_refused() -> None:
    """By number."""
    assert len((await _form(*[_part("files", b"x")] * 3)).uploads) == 3
    with pytest.raises(TooLarge):
        await _form(*[_part("files", b"x")] * 4)


async def test_floods_of_parts_and_endless_fields_are_refused() -> None:
    """Before they are all kept."""
    with pytest.raises(InvalidRequest):
        await _form(_part("file", b"x"), *[_part("a", b"1", filename=None, media_type="")] * 100)
    with pytest.raises(InvalidRequest):
        await _form(_part("file", b"x"), _part("a", b"1" * 200_000, filename=None, media_type=""))
    with pytest.raises(InvalidRequest):
        await _form(_part("file" + "e" * 200_000, b"x"))


@given(
    st.lists(
        st.sampled_from(
            [
                b"--b",
                b"--",
                b"\r\n",
                b"\r\n\r\n",
                b"x",
                b'Content-Disposition: form-data; name="file"',
                b'; filename="',
                b"\xff\x00",
                b":",
                b";",
                b"=",
                b'"',
            ]
        )
    )
)
async def test_no_body_breaks_the_parser(pieces: list[bytes]) -> None:
    """Whatever arrives is a form or an error with a code."""
    try:
        await read_uploads(_request(b"".join(pieces), step=5), _LIMITS)
    except PeciaError as error:
        assert error.code  # noqa: PT017 - either is right


def test_limits_come_from_the_settings() -> None:
    """One place for the numbers."""
    limits = UploadLimits.of(LimitSettings(max_upload_mb=1, max_images=2, max_parts=3))
    assert limits == UploadLimits(2**20, 2, 3)
