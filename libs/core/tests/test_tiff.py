"""TIFFs of several pages: counted, parted where they can be, refused where they are broken."""

import io
import struct
from pathlib import Path

import pytest
from pecia_core.errors import PeciaError
from pecia_core.tiff import Tiff, pages
from PIL import Image, TiffImagePlugin

REDUCED, PAGE_OF_MANY, MASK = 1, 2, 4


def pictures(count: int, mode: str = "L") -> list[Image.Image]:
    """Each of its own size and shade, with a gradient so that every strip counts."""
    found = []
    for page in range(count):
        picture = Image.linear_gradient("L").resize((90 + page, 120)).point(lambda v, add=page: v // 2 + add)
        found.append(picture.convert(mode))
    return found


def saved(originals: list[Image.Image], **options: object) -> bytes:
    """All of them in one file."""
    buffer = io.BytesIO()
    originals[0].save(buffer, "TIFF", save_all=True, append_images=originals[1:], **options)
    return buffer.getvalue()


def directories(*kinds: int, order: str = "<", then: int = 0) -> bytes:
    """A TIFF of nothing but directories, each with its kind; the last one names `then` as its next."""
    size = 2 + 12 + 4
    places = [8 + size * index for index in range(len(kinds))]
    header = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    entries = (struct.pack(order + "HHHII", 1, 254, 4, 1, kind) for kind in kinds)
    nexts = (struct.pack(order + "I", place) for place in (*places[1:], then))
    return header + b"".join(entry + after for entry, after in zip(entries, nexts, strict=True))


@pytest.mark.parametrize(
    ("compression", "mode"),
    [
        ("raw", "L"),
        ("raw", "RGB"),
        ("tiff_lzw", "RGB"),
        ("tiff_adobe_deflate", "L"),
        ("jpeg", "RGB"),
        ("packbits", "L"),
        ("group3", "1"),
        ("group4", "1"),
    ],
)
def test_a_page_is_itself_and_no_more(compression: str, mode: str) -> None:
    """However it is packed, each page's file has that page's pixels, and not the bytes of the others."""
    originals = pictures(6, mode)
    data = saved(originals, compression=compression)
    parted = pages(data, 8)
    with Image.open(io.BytesIO(data)) as whole:
        for index, page in enumerate(parted):
            whole.seek(index)
            with Image.open(io.BytesIO(page)) as alone:
                assert alone.n_frames == 1  # type: ignore[attr-defined]
                assert alone.tobytes() == whole.tobytes()
            assert len(page) < len(data) / 4


def test_strips_and_big_endian_files_are_parted() -> None:
    """A page of many strips, written by a machine that counts from the other end."""
    info = TiffImagePlugin.ImageFileDirectory_v2(prefix=b"MM")
    info[TiffImagePlugin.ROWSPERSTRIP] = 7
    data = saved(pictures(2), tiffinfo=info, compression="tiff_lzw")
    for index, page in enumerate(pages(data, 8)):
        with Image.open(io.BytesIO(data)) as whole, Image.open(io.BytesIO(page)) as alone:
            whole.seek(index)
            assert alone.tobytes() == whole.tobytes()


def test_a_file_is_read_where_it_lies(tmp_path: Path) -> None:
    """By path or open: counting reads the directories, a page its own bytes."""
    data = saved(pictures(3), compression="raw")
    path = tmp_path / "pages.tif"
    path.write_bytes(data)
    assert [Tiff(path, 8).page(index) for index in range(3)] == pages(data, 8)
    with path.open("rb") as file:
        tiff = Tiff(file, 8)
        assert tiff.page_count == 3
        assert tiff.page(2) == pages(data, 8)[2]


def test_counting_reads_no_pixels(tmp_path: Path) -> None:
    """A file of a gigabyte of holes is counted at once, for as many pages as are asked for."""
    data = directories(*[0] * 1200)
    path = tmp_path / "long.tif"
    path.write_bytes(data)
    with path.open("r+b") as file:
        file.truncate(1 << 30)
    assert Tiff(path, 2000).page_count == 1200
    assert Tiff(path, 1000).page_count == 1001


def test_strips_that_are_one_and_the_same_do_not_multiply() -> None:
    """Ten thousand strips at one place would make a page far longer than its file: it is left as it is."""
    count, kilobyte = 10_000, 1000
    after = 8 + 2 + 2 * 12 + 4
    entries = struct.pack("<HHII", 273, 4, count, after) + struct.pack(
        "<HHII", 279, 4, count, after + 4 * count
    )
    data = b"II*\0" + struct.pack("<IH", 8, 2) + entries + bytes(4)
    data += struct.pack("<I", 0) * count + struct.pack("<I", kilobyte) * count
    (page,) = pages(data, 8)
    assert len(page) == len(data)


def test_what_is_not_there_is_left_to_the_decoder() -> None:
    """A strip beyond the end of the file: the page is handed on whole."""
    data = saved(pictures(1), compression="raw")
    assert len(pages(data[:-40], 8)) == 1


@pytest.mark.parametrize("order", ["<", ">"])
def test_copies_and_masks_are_no_pages(order: str) -> None:
    """A camera's preview is not read a second time."""
    data = directories(0, REDUCED, PAGE_OF_MANY, PAGE_OF_MANY | MASK, order=order)
    first, second = pages(data, 8)
    assert struct.unpack_from(order + "I", first, 4) == (8,)
    assert struct.unpack_from(order + "I", second, 4) == (8 + 2 * 18,)
    assert len(first) == len(second) == len(data)


@pytest.mark.parametrize("data", [b"II*\0", b"II*\0\0\0\0\0", b"MM\0*\xff\xff\xff\xff", directories(REDUCED)])
def test_a_file_without_pages_is_left_as_it_is(data: bytes) -> None:
    """The service that decodes it knows what to say."""
    assert pages(data, 8) == [data]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (directories(0, 0, then=8), "back to a former page"),
        (directories(0, then=2**32 - 1), "out of the file"),
        (directories(0, then=8 + 18 - 1), "out of the file"),
        (directories(*[REDUCED] * 257), "are copies and masks"),
    ],
)
def test_a_broken_list_of_pages_is_refused(data: bytes, why: str) -> None:
    """A document of which pages would be missing is not half read; nothing turns in circles."""
    with pytest.raises(PeciaError, match=why) as caught:
        pages(data, 8)
    assert caught.value.code == "invalid_image"
