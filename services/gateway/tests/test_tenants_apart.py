"""Two tenants attack each other's ids: not found, in the same words and the same time as what never was."""

import asyncio
import itertools
import json
import random
import statistics
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit

import pytest
from pecia_core.keys import KeyWish, make_key, snippet_of
from pecia_dispatch.testing import ScriptedOcr

TRIES = 10_000
JOBS = 4
# All that can be asked of a job, and the addresses of older days.
ASKS = [
    ("GET", "/v1/jobs/{id}"),
    ("GET", "/v1/jobs/{id}/pages"),
    ("GET", "/v1/jobs/{id}/pages/1"),
    ("GET", "/v1/jobs/{id}/figures/1/figure-1.jpg"),
    ("GET", "/v1/jobs/{id}/events"),
    ("GET", "/v1/jobs/{id}/download"),
    ("GET", "/v1/jobs/{id}/download?format=json&partial=true"),
    ("GET", "/v1/jobs/{id}/metadata"),
    ("GET", "/v1/jobs/{id}/deliveries"),
    ("POST", "/v1/jobs/{id}/deliveries/x/replay"),
    ("POST", "/v1/jobs/{id}/cancel"),
    ("POST", "/v1/jobs/{id}/rerun"),
    ("POST", "/v1/jobs/{id}/pages/1/rerun"),
    ("DELETE", "/v1/jobs/{id}"),
    ("HEAD", "/v1/jobs/{id}/download"),
    ("GET", "/jobs/{id}"),
    ("DELETE", "/jobs/{id}"),
]
# These say when and which request it was.
OF_THE_MOMENT = (b"x-request-id", b"date", b"openai-processing-ms")


class Line:
    """One connection that is kept: requests one after the other, timed from the first byte to the last."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: str) -> None:
        self._reader, self._writer, self._key = reader, writer, key

    async def ask(self, method: str, path: str) -> tuple[bytes, list[bytes], bytes, float]:
        """Status line, headers but those of the moment, body, seconds."""
        head = f"{method} {path} HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {self._key}\r\n"
        began = perf_counter()
        self._writer.write((head + "content-length: 0\r\n\r\n").encode())
        status, *headers = (await self._reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[:-2]
        length = next((int(one.split(b":")[1]) for one in headers if one.startswith(b"content-length")), 0)
        body = await self._reader.readexactly(length) if method != "HEAD" else b""
        seconds = perf_counter() - began
        return status, sorted(one for one in headers if not one.startswith(OF_THE_MOMENT)), body, seconds


@dataclass
class Attack:
    """What one tenant's tries came to. Times are in seconds: of the other's ids, and of ids of nobody."""

    theirs: list[float] = field(default_factory=list)
    nobodys: list[float] = field(default_factory=list)
    hits: int = 0
    differences: set[str] = field(default_factory=set)

    async def run(self, line: Line, ids: list[str], tries: int) -> None:
        """Try each address with an id of the other, and with one that never was, in an order by chance."""
        chance = random.Random(7)  # noqa: S311 - an order, no secret
        for (method, path), job in itertools.islice(self._aims(ids), tries // 2):
            nobody = f"{job[:-8]}{chance.getrandbits(32):08x}"
            pair = [(self.theirs, job), (self.nobodys, nobody)]
            chance.shuffle(pair)
            answers = {}
            for times, name in pair:
                *answer, seconds = await line.ask(method, path.format(id=name))
                times.append(seconds)
                answers[name == job] = answer
            if answers[True][0] != b"HTTP/1.1 404 Not Found":
                self.hits += 1
            if answers[True] != answers[False]:
                self.differences.add(f"{method} {path}")

    def _aims(self, ids: list[str]) -> Iterator[tuple[tuple[str, str], str]]:
        return itertools.cycle(itertools.product(ASKS, ids))


def superiority(one: list[float], other: list[float]) -> float:
    """How often something of `one` is above something of `other`, 0 to 1: 0.5 where they are alike."""
    ranked = sorted([(value, True) for value in one] + [(value, False) for value in other])
    ranks = sum(place for place, (_, mine) in enumerate(ranked, start=1) if mine)
    return (ranks - len(one) * (len(one) + 1) / 2) / (len(one) * len(other))


@dataclass
class Houses:
    """A gateway with two tenants, each with jobs."""

    gateway: Any
    keys: dict[str, str]
    ids: dict[str, list[str]]

    async def seen(self, tenant: str) -> list[tuple[str, str]]:
        """The tenant's own jobs, and how they are."""
        headers = {"authorization": f"Bearer {self.keys[tenant]}"}
        listed = (await self.gateway.client.get("/v1/jobs", headers=headers)).json()["jobs"]
        return sorted((one["job_id"], one["status"]) for one in listed)


@pytest.fixture
async def houses(start: Any, ocr: ScriptedOcr, with_jobs: dict[str, Any], tmp_path: Path, pdf: Any) -> Any:
    """With keys that have no limits: those would tell how often somebody asked."""
    made = {name: make_key(KeyWish(name)) for name in ("anna", "berta")}
    text = "".join(snippet_of(record) for _, record in made.values())
    unlimited = text.replace("requests_per_minute = 600", "requests_per_minute = 0")
    (tmp_path / "keys.toml").write_text(unlimited)
    keys = {name: key for name, (key, _) in made.items()}
    async with start(ocr, **with_jobs, auth={"keys_file": tmp_path / "keys.toml"}) as gateway:
        ids: dict[str, list[str]] = {}
        for name, key in keys.items():
            headers = {"authorization": f"Bearer {key}"}
            while (await gateway.client.get("/v1/jobs", headers=headers)).status_code == 503:
                await asyncio.sleep(0.02)
            for _ in range(JOBS):
                files = {"file": ("secret.pdf", pdf(1), "application/pdf")}
                answer = await gateway.client.post("/v1/jobs", files=files, headers=headers)
                ids.setdefault(name, []).append(answer.json()["job_id"])
        yield Houses(gateway, keys, ids)


async def test_ten_thousand_tries_find_nothing_and_learn_nothing(
    houses: Houses, capsys: pytest.CaptureFixture[str]
) -> None:
    """0 hits; each answer equals that for an id of nobody, byte for byte, and takes as long.

    Both attack at once. With 5,000 pairs the chance that one time is above the other is known to 0.6 %;
    the bound is eight times that.
    """
    address = urlsplit(houses.gateway.url)
    before = {name: await houses.seen(name) for name in houses.keys}
    attacks = {"anna": Attack(), "berta": Attack()}
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        for name, victim in (("anna", "berta"), ("berta", "anna")):
            reader, writer = await asyncio.open_connection(address.hostname, address.port)
            stack.callback(writer.close)
            line = Line(reader, writer, houses.keys[name])
            group.create_task(attacks[name].run(line, houses.ids[victim], TRIES // 2))
    theirs = [seconds for attack in attacks.values() for seconds in attack.theirs]
    nobodys = [seconds for attack in attacks.values() for seconds in attack.nobodys]
    slower = superiority(theirs, nobodys)
    with capsys.disabled():
        medians = [statistics.median(times) * 1000 for times in (theirs, nobodys)]
        print(  # noqa: T201 - shown beside the test's name
            f" [{len(theirs) + len(nobodys)} tries, {sum(one.hits for one in attacks.values())} hits; median "
            f"{medians[0]:.3f} ms and {medians[1]:.3f} ms of nobody's; slower in {slower:.1%}]",
            end="",
        )
    assert [attack.hits for attack in attacks.values()] == [0, 0]
    assert [attack.differences for attack in attacks.values()] == [set(), set()]
    assert len(theirs) + len(nobodys) == TRIES
    assert 0.45 < slower < 0.55
    assert {name: await houses.seen(name) for name in houses.keys} == before


def test_the_measure_sees_what_is_slower() -> None:
    """A difference of a third of the spread would be seen."""
    chance = random.Random(1)  # noqa: S311 - same every time
    plain = [chance.gauss(1, 0.1) for _ in range(5000)]
    assert 0.48 < superiority(plain, [chance.gauss(1, 0.1) for _ in range(5000)]) < 0.52
    assert superiority([value + 0.03 for value in plain], plain) > 0.55


async def test_lists_and_cursors_show_only_ones_own(houses: Houses) -> None:
    """Also with a cursor that another was given, and for an idempotency key that another used."""
    lists = {}
    for name, key in houses.keys.items():
        headers = {"authorization": f"Bearer {key}"}
        lists[name] = (await houses.gateway.client.get("/v1/jobs?limit=2", headers=headers)).json()
    for name, other in (("anna", "berta"), ("berta", "anna")):
        headers = {"authorization": f"Bearer {houses.keys[name]}"}
        cursor = {"cursor": lists[other]["next_cursor"]}
        found = (await houses.gateway.client.get("/v1/jobs", headers=headers, params=cursor)).json()["jobs"]
        assert {one["job_id"] for one in found} <= set(houses.ids[name])


async def test_metrics_and_probes_name_no_tenant_and_no_id(houses: Houses) -> None:
    """Series do not grow with tenants, and nobody learns from them who is here."""
    for path in ("/metrics", "/health", "/ready", "/v1/capacity"):
        text = (await houses.gateway.client.get(path)).text
        for name, ids in houses.ids.items():
            assert name not in text
            assert not any(one in text for one in ids)
    assert json.loads((await houses.gateway.client.get("/live")).text) == {"status": "alive"}
