"""Pages of jobs as pictures: what they look like, who may see them, and what cannot be shown."""

import asyncio
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from pecia_core.keys import KeyWish, make_key, snippet_of
from pecia_core.locked_pdf import locked
from pecia_core.pdf.maker import stream
from pecia_core.sample_pdf import Parts, digital_pdf, long_pdf, prose
from pecia_dispatch.testing import ScriptedOcr
from PIL import Image

# A page of 400 x 300 points at the default 110 dots per inch.
_SIZE = (612, 459)
# Works for hours.
_TILES = stream(
    b"/Type /Pattern /PatternType 1 /PaintType 1 /TilingType 1 /BBox [0 0 1 1] /XStep 0.001 "
    b"/YStep 0.001 /Resources << >>",
    b"1 0 0 rg 0 0 1 1 re f",
)


async def made(gateway: Any, data: bytes, **fields: Any) -> str:
    """Make a job; gives the address of its pages."""
    answer = await gateway.client.post("/v1/jobs", files={"file": ("a.pdf", data)}, data=fields)
    assert answer.status_code == 200, answer.text
    return f"/v1/jobs/{answer.json()['job_id']}/pages"


def seen(answer: httpx.Response) -> Image.Image:
    """The picture that came."""
    assert answer.status_code == 200, answer.text
    picture = Image.open(BytesIO(answer.content))
    assert answer.headers["content-type"] == f"image/{str(picture.format).lower()}"
    return picture


def refusal(answer: httpx.Response) -> tuple[int, str]:
    """Status and code."""
    return answer.status_code, answer.json()["error"]["code"]


def ink(picture: Image.Image) -> int:
    """How many pixels are dark."""
    return sum(picture.convert("L").histogram()[:128])


async def test_a_page_is_seen_before_and_after_it_is_read(jobs: Any, worker: Any) -> None:
    """Drawn from the document itself: as a JPEG, under both addresses, at once."""
    pages = await made(jobs, long_pdf([prose(), b""]))
    written = seen(await jobs.client.get(f"{pages}/1/image"))
    assert (written.size, written.format) == (_SIZE, "JPEG")
    assert ink(written) > 500
    assert ink(seen(await jobs.client.get(f"{pages.removeprefix('/v1')}/2/image"))) == 0
    await worker.finish()
    again = await jobs.client.get(f"{pages}/1/image")
    assert seen(again).size == _SIZE
    assert again.headers["x-content-type-options"] == "nosniff"


async def test_dots_per_inch_are_bounded_and_so_are_pixels(
    start_jobs: Any, ocr: ScriptedOcr, with_jobs: dict[str, Any]
) -> None:
    """As asked for, within limits; a sheet as large as a wall gets fewer dots, not more memory."""
    small = {"pictures": {"max_pixels": 100_000}}
    async with start_jobs(ocr, **with_jobs, **small) as gateway:
        pages = await made(gateway, digital_pdf(prose()))
        sizes = [
            seen(await gateway.client.get(f"{pages}/1/image", params={"dpi": dpi})).size for dpi in (36, 72)
        ]
        assert sizes[0] == (200, 150)
        assert 90_000 < sizes[1][0] * sizes[1][1] <= 100_000
        for dpi in ("35", "201", "x", "1e9"):
            refused = await gateway.client.get(f"{pages}/1/image", params={"dpi": dpi})
            assert refusal(refused) == (400, "invalid_request")
        wall = await made(gateway, digital_pdf(prose(), Parts(size=(14_000, 14_000))))
        huge = seen(await gateway.client.get(f"{wall}/1/image"))
        assert huge.width * huge.height <= 100_000


async def test_nothing_is_drawn_for_who_has_it(jobs: Any) -> None:
    """A browser asks again with what it has and hears that it is the same; other dots are another picture."""
    address = await made(jobs, long_pdf([prose(), prose()])) + "/1/image"
    first = await jobs.client.get(address)
    tag = first.headers["etag"]
    assert first.headers["cache-control"] == "private, no-cache"
    assert "authorization" in first.headers["vary"]
    again = await jobs.client.get(address, headers={"if-none-match": f'"other", W/{tag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    for other in (address + "?dpi=72", address.replace("pages/1", "pages/2")):
        answer = await jobs.client.get(other, headers={"if-none-match": tag})
        assert answer.status_code == 200
        assert answer.headers["etag"] != tag


async def test_another_owners_pages_are_not_there(
    start_jobs: Any, ocr: ScriptedOcr, with_jobs: dict[str, Any], tmp_path: Path
) -> None:
    """In the words of a job that never was, also for who knows the tag; their own are seen."""
    keys = {tenant: make_key(KeyWish(tenant)) for tenant in ("anna", "budi")}
    path = tmp_path / "keys.toml"
    path.write_text("".join(snippet_of(record) for _, record in keys.values()))
    mine, theirs = ({"authorization": f"Bearer {keys[name][0]}"} for name in ("anna", "budi"))
    async with start_jobs(ocr, **with_jobs, auth={"keys_file": path}) as gateway:
        gateway.client.headers = mine
        address = await made(gateway, digital_pdf(prose())) + "/1/image"
        tag = (await gateway.client.get(address)).headers["etag"]
        foreign = await gateway.client.get(address, headers=theirs | {"if-none-match": tag})
        job_id = address.split("/")[3]
        never = await gateway.client.get(address.replace(job_id, job_id[:-8] + "00000000"), headers=theirs)
        assert foreign.status_code == never.status_code == 404
        assert foreign.json() == never.json()
        assert "etag" not in foreign.headers


async def test_pages_that_the_job_has_not_are_not_there(jobs: Any) -> None:
    """Beyond its end, and those of the document that were not asked for."""
    pages = await made(jobs, long_pdf([prose()] * 3), pages="2")
    assert (await jobs.client.get(f"{pages}/2/image")).status_code == 200
    for number in (1, 4, 1 << 31):
        assert refusal(await jobs.client.get(f"{pages}/{number}/image")) == (404, "not_found")
    assert refusal(await jobs.client.get(f"{pages}/0/image")) == (400, "invalid_request")


async def test_a_locked_document_is_closed_with_its_job(jobs: Any, worker: Any) -> None:
    """While the job runs its password draws the page; then nobody can, although it was open a moment ago."""
    pages = await made(jobs, locked(digital_pdf(prose()), "open sesame"), password="open sesame")
    assert ink(seen(await jobs.client.get(f"{pages}/1/image"))) > 500
    await worker.finish()
    gone = await jobs.client.get(f"{pages}/1/image")
    assert refusal(gone) == (410, "document_gone")
    assert "password" in gone.json()["error"]["message"]
    assert "sesame" not in gone.text
    assert (await jobs.client.get(f"{pages}/1")).status_code == 200  # its text stays


async def test_a_hostile_page_costs_itself_alone(
    start_jobs: Any, ocr: ScriptedOcr, with_jobs: dict[str, Any]
) -> None:
    """One that draws for hours is given up and said to be at fault; its neighbours and the next are drawn."""
    contents = [prose(), b"/Pattern cs /P scn 0 0 400 300 re f", prose()]
    pattern = b"/Pattern << /P %d 0 R >>" % (3 + 2 * len(contents) + 1)
    data = long_pdf(contents, Parts(resources=pattern, more=(_TILES,)))
    async with start_jobs(ocr, **with_jobs, pictures={"timeout_s": 3}) as gateway:
        pages = await made(gateway, data)
        answers = [await gateway.client.get(f"{pages}/{number}/image") for number in (1, 2, 3)]
    assert [answer.status_code for answer in answers] == [200, 409, 200]
    assert refusal(answers[1]) == (409, "job_page_not_drawable")
    assert "longer than 3 s" in answers[1].json()["error"]["message"]


async def test_a_document_that_is_gone_is_said_to_be(
    jobs: Any, worker: Any, with_jobs: dict[str, Any]
) -> None:
    """Its text is there, the file it was read from is not: that will not come back."""
    pages = await made(jobs, digital_pdf(prose()))
    await worker.finish()
    next(Path(with_jobs["blobs"]["url"]).rglob("input.pdf")).unlink()
    assert refusal(await jobs.client.get(f"{pages}/1/image")) == (410, "document_gone")
    assert (await jobs.client.get(f"{pages}/1")).status_code == 200


async def test_a_store_that_is_away_is_waited_for_by_the_caller(jobs: Any, with_jobs: dict[str, Any]) -> None:
    """503 with a time to come back; then the page is there."""
    pages = await made(jobs, digital_pdf(prose()))
    store = Path(with_jobs["blobs"]["url"])
    store.rename(store.with_name("away"))
    away = await jobs.client.get(f"{pages}/1/image")
    assert refusal(away) == (503, "store_unavailable")
    assert int(away.headers["retry-after"]) > 0
    store.with_name("away").rename(store)
    assert (await jobs.client.get(f"{pages}/1/image")).status_code == 200


def tiff(*colours: str) -> bytes:
    """Pages of one colour each."""
    first, *others = (Image.new("RGB", (30, 20), colour) for colour in colours)
    out = BytesIO()
    first.save(out, "TIFF", save_all=True, append_images=others)
    return out.getvalue()


async def test_pictures_come_as_they_were_sent(jobs: Any, png: bytes) -> None:
    """A picture byte by byte; of a TIFF the page alone."""
    pages = await made(jobs, png)
    answer = await jobs.client.get(f"{pages}/1/image")
    assert (answer.content, answer.headers["content-type"]) == (png, "image/png")
    pages = await made(jobs, tiff("red", "blue"))
    blue = seen(await jobs.client.get(f"{pages}/2/image"))
    assert (blue.format, getattr(blue, "n_frames", 1), blue.convert("RGB").getpixel((5, 5))) == (
        "TIFF",
        1,
        (0, 0, 255),
    )


@pytest.mark.parametrize("bound", [{"whole_mb": 0.00001}, {"max_sent_pixels": 10_000}])
async def test_pictures_that_are_too_large_are_not_shown(
    start_jobs: Any, ocr: ScriptedOcr, with_jobs: dict[str, Any], bound: dict[str, Any]
) -> None:
    """By their bytes before they are fetched, by the pixels they claim before they are given away."""
    big = BytesIO()
    Image.new("L", (200, 200)).save(big, "PNG")
    async with start_jobs(ocr, **with_jobs, pictures=bound) as gateway:
        pages = await made(gateway, big.getvalue())
        assert refusal(await gateway.client.get(f"{pages}/1/image")) == (409, "job_page_not_drawable")


async def test_looking_takes_from_what_a_tenant_may(
    start_jobs: Any, ocr: ScriptedOcr, with_jobs: dict[str, Any], endless: Callable[[], bytes]
) -> None:
    """So many at once, of requests and of pictures; a slow page holds up no more than its owner."""
    async with start_jobs(ocr, **with_jobs, pictures={"timeout_s": 6, "tenant_at_once": 1}) as gateway:
        slow = await made(gateway, endless())
        first = asyncio.create_task(gateway.client.get(f"{slow}/1/image"))
        while not gateway.app.state.gateway.desk.pictures._places._held:
            await asyncio.sleep(0.02)
        second = await gateway.client.get(f"{slow}/1/image")
        assert refusal(second) == (429, "rate_limit_exceeded")
        assert int(second.headers["retry-after"]) > 0
        assert refusal(await first) == (409, "job_page_not_drawable")


@pytest.fixture
def endless() -> Callable[[], bytes]:
    """A page that draws for hours."""
    parts = Parts(resources=b"/Pattern << /P 6 0 R >>", more=(_TILES,))
    return lambda: digital_pdf(b"/Pattern cs /P scn 0 0 400 300 re f", parts)


async def test_a_document_is_fetched_once_and_not_kept_for_long(
    start_jobs: Any, ocr: ScriptedOcr, with_jobs: dict[str, Any]
) -> None:
    """Page after page from the same opening; when nobody looks any more, nothing of it is left."""
    async with start_jobs(ocr, **with_jobs, pictures={"idle_s": 4}) as gateway:
        pages = await made(gateway, long_pdf([prose()] * 3))
        inputs = gateway.app.state.gateway.desk.pictures._inputs
        openings = set()
        for number in (1, 2, 3):
            assert (await gateway.client.get(f"{pages}/{number}/image")).status_code == 200
            openings |= {id(kept.opening) for kept in inputs._kept.values()}
        async with asyncio.timeout(30):
            while inputs._kept:
                await asyncio.sleep(0.05)
    assert len(openings) == 1
