"""Following a job by server-sent events."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

Event = tuple[str, dict[str, Any], int | None]


async def events(response: httpx.Response) -> AsyncIterator[Event]:
    """Each event: its name, its data, its id."""
    name, number, data = "", None, ""
    async for line in response.aiter_lines():
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "id":
            number = int(value)
        elif field == "data":
            data = value
        elif not line and data:
            yield name, json.loads(data), number
            name, number, data = "", None, ""


@asynccontextmanager
async def following(gateway: Any, job: str, **headers: str) -> AsyncIterator[httpx.Response]:
    """The stream of a job's events."""
    async with gateway.client.stream("GET", f"/jobs/{job}/events", headers=headers) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        yield response


async def made(gateway: Any, data: bytes) -> str:
    """Make a job; gives its id."""
    answer = await gateway.client.post("/jobs", files={"file": ("a.pdf", data)})
    return str(answer.json()["job_id"])


@pytest.mark.parametrize("database_url", ["sqlite", "postgres"], indirect=True)
async def test_each_page_comes_as_it_ends(jobs: Any, worker: Any, pdf: Callable[[int], bytes]) -> None:
    """The job at once, each page once, the job after them, and the end with the end of the job."""
    job = await made(jobs, pdf(5))
    seen: list[Event] = []

    async def follow() -> None:
        async with following(jobs, job) as response:
            async for event in events(response):
                seen.append(event)

    async with asyncio.timeout(60):
        task = asyncio.create_task(follow())
        while not seen:
            await asyncio.sleep(0.02)
        assert seen[0][1]["status"] == "queued"
        while await worker.read(1):
            await asyncio.sleep(0.1)
        await task
    assert [data["number"] for name, data, _ in seen if name == "page"] == [1, 2, 3, 4, 5]
    name, last, _ = seen[-1]
    assert (name, last["status"], last["processed_pages"]) == ("job", "completed", 5)
    numbers = [number for _, _, number in seen if number is not None]
    assert numbers == sorted(numbers)
    shown = [data["processed_pages"] for name, data, _ in seen if name == "job"]
    assert shown == sorted(shown)


async def test_a_broken_stream_goes_on_without_gap_or_repeat(
    jobs: Any, worker: Any, pdf: Callable[[int], bytes]
) -> None:
    """Wherever it broke: what comes after the last id is what had not been seen."""
    job = await made(jobs, pdf(6))
    await worker.read(4)
    whole: list[Event] = []
    async with asyncio.timeout(60):
        async with following(jobs, job) as response:
            async for event in events(response):
                whole.append(event)
                if event[0] == "page" and event[1]["number"] == 4:
                    break
        await worker.finish()
        for cut in range(1, len(whole) + 1):
            last = next((number for _, _, number in reversed(whole[:cut]) if number is not None), None)
            headers = {} if last is None else {"Last-Event-ID": str(last)}
            async with following(jobs, job, **headers) as response:
                after = [event async for event in events(response)]
            before = [data["number"] for name, data, number in whole[:cut] if name == "page" and number]
            then = [data["number"] for name, data, _ in after if name == "page"]
            assert sorted(before + then) == [1, 2, 3, 4, 5, 6]
            assert after[-1][1]["status"] == "completed"


async def test_an_ended_job_is_told_once(jobs: Any, worker: Any, pdf: Callable[[int], bytes]) -> None:
    """Also to those who have seen everything, and to whoever names an event that never was."""
    job = await made(jobs, pdf(1))
    await worker.finish()
    async with asyncio.timeout(30):
        async with following(jobs, job) as response:
            last = [event async for event in events(response)][-1][2]
        for number in (last, 10**15):
            answer = await jobs.client.get(f"/v1/jobs/{job}/events", params={"after": number})
            assert answer.text.count("event: ") == 1
            assert "event: job" in answer.text


@pytest.mark.parametrize("number", ["x", "-1", "1.5", "9" * 30, "٣"])
async def test_a_strange_id_is_refused(jobs: Any, pdf: Callable[[int], bytes], number: str) -> None:
    """Before the stream begins."""
    job = await made(jobs, pdf(1))
    answer = await jobs.client.get(f"/jobs/{job}/events", headers={"Last-Event-ID": number.encode()})
    assert answer.status_code == 400


async def test_silence_is_filled(start_jobs: Any, ocr: Any, with_jobs: Any, pdf: Any) -> None:
    """Load balancers cut connections on which nothing is said."""
    async with start_jobs(ocr, **with_jobs, http={"sse_keep_alive_s": 0.1}) as gateway, asyncio.timeout(30):
        job = await made(gateway, pdf(1))
        async with following(gateway, job) as response:
            async for line in response.aiter_lines():
                if line == ": keep-alive":
                    return


async def test_streams_are_bounded_and_free_when_hung_up(
    start_jobs: Any, ocr: Any, with_jobs: Any, pdf: Any
) -> None:
    """Who follows too many jobs is refused; who hangs up makes room within a moment."""
    with_jobs["jobs"] = {"tenant_streams": 1}
    async with start_jobs(ocr, **with_jobs) as gateway, asyncio.timeout(30):
        job = await made(gateway, pdf(1))
        async with following(gateway, job):
            refused = await gateway.client.get(f"/jobs/{job}/events")
            assert refused.status_code == 429
            assert refused.headers["retry-after"] == "5"
            assert (await gateway.client.get(f"/jobs/{job}")).status_code == 200
        while True:
            async with gateway.client.stream("GET", f"/jobs/{job}/events") as again:
                if again.status_code == 200:
                    return
            await asyncio.sleep(0.05)


async def test_deleting_a_job_ends_its_streams(jobs: Any, worker: Any, pdf: Callable[[int], bytes]) -> None:
    """Whoever follows is not left waiting."""
    job = await made(jobs, pdf(1))
    async with asyncio.timeout(30), following(jobs, job) as response:
        await jobs.client.delete(f"/jobs/{job}")
        await jobs.client.delete(f"/jobs/{job}")
        told = [name async for name, _, _ in events(response)]
        assert set(told) == {"job"}


async def test_a_gateway_that_stops_lets_its_followers_go(jobs: Any, pdf: Callable[[int], bytes]) -> None:
    """They come again elsewhere; nobody waits five minutes for a stream that never ends."""
    job = await made(jobs, pdf(1))
    async with asyncio.timeout(30), following(jobs, job) as response:
        jobs.app.state.leaving.set()
        assert len([event async for event in events(response)]) <= 1


async def test_head_of_a_stream_ends(jobs: Any, pdf: Callable[[int], bytes]) -> None:
    """A monitor that asks for the head does not follow the job."""
    job = await made(jobs, pdf(1))
    async with asyncio.timeout(30):
        answer = await jobs.client.head(f"/v1/jobs/{job}/events")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
