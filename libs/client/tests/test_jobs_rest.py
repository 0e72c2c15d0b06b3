"""Jobs through the REST client, against a real HTTP server whose jobs go as the test says."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from pecia_client.jobs.events import parsed
from pecia_client.jobs.model import JobPriority, JobRequest, JobStatus, ResultFormat
from pecia_client.rest import RestClient, Retries
from pecia_client.testing import Answer, Asked, FakeGateway, fake_gateway
from pecia_client.testing.jobs import ScriptedJobs, until
from pecia_core.errors import Conflict, InvalidDocument, NotFound, PeciaError, Unavailable
from pecia_core.vocabulary import ModelSize, TaskType

PDF = b"%PDF-1.7 three pages"
QUICK = Retries(times=2, first_wait_s=0.01)


@pytest.fixture
def jobs(gateway: FakeGateway) -> ScriptedJobs:
    """The jobs of the gateway."""
    scripted = ScriptedJobs()
    gateway.answer = scripted.answer
    return scripted


@pytest.fixture
def client(gateway: FakeGateway, jobs: ScriptedJobs) -> Iterator[RestClient]:
    """A client of that gateway."""
    with RestClient(gateway.url, retries=QUICK) as client:
        yield client


def test_a_document_becomes_a_job(client: RestClient, jobs: ScriptedJobs, tmp_path: Path) -> None:
    """The file goes as it is, under its name; the job is there, and every time and number is typed."""
    path = tmp_path / "thesis.pdf"
    path.write_bytes(PDF)
    made = client.jobs.submit(path)
    assert made.message == "Job created successfully. Total pages: 3"
    assert jobs.jobs[made.job_id].form == {"file": PDF.decode()}
    job = client.jobs.get(made.job_id)
    assert (job.filename, job.status, job.total_pages, job.ended) == ("thesis.pdf", "queued", 3, False)
    assert job.started_at is None


def test_all_that_is_wanted_is_said(client: RestClient, jobs: ScriptedJobs) -> None:
    """Every option is a field of the form; what was not said is not sent."""
    request = JobRequest(
        model="rapid",
        model_size=ModelSize.TINY,
        task_type=TaskType.MARKDOWN,
        languages=("ind", "eng"),
        pages="1-3,7",
        priority=JobPriority.HIGH,
        not_before=1_800_000_000.5,
        webhook_url="https://example.com/done",
        password="secret",
        text_layer=False,
        dpi=150,
    )
    made = client.jobs.submit(PDF, request, filename="scan.pdf")
    form = jobs.jobs[made.job_id].form
    del form["file"]
    assert form == {
        "model": "rapid",
        "model_size": "tiny",
        "task_type": "markdown",
        "languages": "ind,eng",
        "pages": "1-3,7",
        "priority": "high",
        "not_before": "1800000000.5",
        "webhook_url": "https://example.com/done",
        "password": "secret",
        "text_layer": "off",
        "dpi": "150",
    }
    assert "secret" not in repr(request)


def test_a_submit_whose_answer_is_lost_makes_one_job(
    gateway: FakeGateway, client: RestClient, jobs: ScriptedJobs
) -> None:
    """The first answer never comes; the second call carries the same key and gets the same job."""

    def answer(asked: Asked) -> Answer:
        made = jobs.answer(asked)
        # Fewer bytes than announced: the connection breaks under the answer.
        return made if len(gateway.asked) > 1 else Answer(headers={"content-length": "999"}, pieces=[b"{"])

    gateway.answer = answer
    made = client.jobs.submit(PDF)
    assert made.replayed
    assert list(jobs.jobs) == [made.job_id]
    first, second = (asked.headers["idempotency-key"] for asked in gateway.asked)
    assert first == second
    assert client.jobs.submit(PDF).job_id != made.job_id


def test_a_delete_is_never_repeated(gateway: FakeGateway, client: RestClient, jobs: ScriptedJobs) -> None:
    """A lost answer to a cancel must not become the deletion of the job."""
    job_id = jobs.add()

    def answer(asked: Asked) -> Answer:
        jobs.answer(asked)
        return Answer(headers={"content-length": "999"}, pieces=[b"{"])

    gateway.answer = answer
    with pytest.raises(Unavailable):
        client.jobs.delete(job_id)
    assert jobs.jobs[job_id].state == "cancelled"
    assert len(gateway.asked) == 1


def test_events_tell_every_page_once(client: RestClient, jobs: ScriptedJobs) -> None:
    """Through streams that break: each page once, in order, and the job at its end last."""
    job_id = jobs.add(pages=6)
    seen = []
    with closing(client.jobs.events(job_id)) as events:
        for event in events:
            seen.append(event)
            if event.page:
                continue
            number = sum(1 for one in seen if one.page) + 1
            if number <= 6 and jobs.jobs[job_id].pages[number].status == "ready":
                jobs.done(job_id, number)
                if number % 2:
                    jobs.hang_up()
    assert [event.page.number for event in seen if event.page] == [1, 2, 3, 4, 5, 6]
    assert seen[-1].job is not None
    assert seen[-1].job.status == "completed"
    numbers = [event.seq for event in seen]
    assert numbers == sorted(numbers)


def test_events_go_on_behind_a_gateway_that_was_restarted(jobs: ScriptedJobs) -> None:
    """Nothing listens for a while; the stream goes on from where it was."""
    job_id = jobs.add(pages=2)
    first = fake_gateway()
    gateway = first.__enter__()
    gateway.answer = jobs.answer
    port = int(gateway.url.rpartition(":")[2])
    numbers: list[int] = []
    with RestClient(gateway.url, retries=QUICK) as client:
        watcher = threading.Thread(
            target=lambda: numbers.extend(e.page.number for e in client.jobs.events(job_id) if e.page)
        )
        watcher.start()
        jobs.done(job_id, 1)
        until(lambda: any(asked.path.endswith("/events") for asked in gateway.asked))
        jobs.hang_up()
        first.__exit__(None, None, None)
        time.sleep(0.5)
        with fake_gateway(port) as second:
            second.answer = jobs.answer
            jobs.done(job_id, 2)
            watcher.join(30)
            assert not watcher.is_alive()
    assert numbers == [1, 2]


def test_pages_of_a_job_that_has_ended_are_told(client: RestClient, jobs: ScriptedJobs) -> None:
    """The job is told first, and its end once more when all that led to it has been."""
    job_id = jobs.add(pages=2)
    jobs.done(job_id, 1)
    jobs.fail(job_id, 2)
    events = list(client.jobs.events(job_id))
    assert [event.page.number if event.page else event.job and event.job.status for event in events] == [
        "completed",
        1,
        2,
        "completed",
    ]
    assert [event.seq for event in events] == [0, 2, 4, 5]


def test_events_give_up_on_a_gateway_that_stays_away(client: RestClient, jobs: ScriptedJobs) -> None:
    """After `patience_s` the last failure is told."""
    job_id = jobs.add()
    with RestClient("http://127.0.0.1:9", retries=QUICK) as lost, pytest.raises(Unavailable, match="Nothing"):
        list(lost.jobs.events(job_id, patience_s=0.3))


def test_a_job_nobody_knows_ends_the_stream_at_once(client: RestClient) -> None:
    """404 is not waited for."""
    with pytest.raises(NotFound):
        list(client.jobs.events("none_20261121_120000_00000000"))


def test_a_stream_may_hold_what_this_version_does_not_know() -> None:
    """Comments, other events and fields are passed over; data may stand on several lines."""
    told = ': hello\n\nid: 4\nevent: news\ndata: {}\n\nretry: 5\nid: 7\nevent: page\ndata: {"number": 3,\n'
    told += 'data: "status": "done"}\n\nevent: page\ndata: {"number"'
    (event,) = parsed(iter(told.split("\n")))
    assert event.page is not None
    assert (event.seq, event.page.number, event.page.status) == (7, 3, "done")


def test_pages_can_be_read_while_the_job_runs(client: RestClient, jobs: ScriptedJobs) -> None:
    """A page that is done has text and layout; one that is not is a conflict, with what to do."""
    job_id = jobs.add()
    jobs.done(job_id, 2, "Zwei")
    read = client.jobs.page(job_id, 2)
    assert (read.text, read.page.source, read.page.confidence) == ("Zwei", "ocr", 0.97)
    assert read.layout is not None
    assert [line.text for line in read.layout.lines()] == ["Zwei"]
    assert [page.status for page in client.jobs.pages(job_id)] == ["ready", "done", "ready"]
    with pytest.raises(Conflict) as caught:
        client.jobs.page(job_id, 1)
    assert caught.value.code == "job_page_not_ready"


def test_a_page_can_be_seen(client: RestClient, jobs: ScriptedJobs, gateway: FakeGateway) -> None:
    """Before it has been read, too; one that cannot be drawn is a conflict that says so."""
    job_id = jobs.add(pages=2)
    seen = client.jobs.picture(job_id, 1, dpi=150)
    assert (seen.data, seen.media_type) == (jobs.picture, "image/png")
    assert gateway.asked[-1].path.endswith("/pages/1/image?dpi=150")
    jobs.fail(job_id, 2)
    with pytest.raises(Conflict) as caught:
        client.jobs.picture(job_id, 2)
    assert caught.value.code == "job_page_not_drawable"
    with pytest.raises(NotFound):
        client.jobs.picture(job_id, 3)


def test_a_result_is_downloaded_when_there_is_one(
    client: RestClient, jobs: ScriptedJobs, tmp_path: Path
) -> None:
    """Before the end only with `partial`; into memory or a file; no half file is left by a refusal."""
    job_id = jobs.add(pages=2)
    jobs.done(job_id, 1, "One")
    target = tmp_path / "result.txt"
    with pytest.raises(Conflict) as caught:
        client.jobs.save(job_id, target, ResultFormat.TEXT)
    assert caught.value.code == "job_not_completed"
    assert list(tmp_path.iterdir()) == []
    assert client.jobs.download(job_id, partial=True) == b"One\n\n[page 2 is missing]"
    jobs.done(job_id, 2, "Two")
    client.jobs.save(job_id, target, ResultFormat.TEXT)
    assert target.read_bytes() == b"One\n\nTwo"
    assert [path.name for path in tmp_path.iterdir()] == ["result.txt"]


def test_a_job_is_waited_for(client: RestClient, jobs: ScriptedJobs) -> None:
    """`wait` gives the job at its end: partial, with the page that failed."""
    job_id = jobs.add(pages=2)
    jobs.done(job_id, 1)
    jobs.fail(job_id, 2)
    job = client.jobs.wait(job_id)
    assert (job.status, job.partial, job.failed_pages, job.processed_pages) == ("completed", True, (2,), 1)


def test_jobs_are_cancelled_resumed_and_deleted(client: RestClient, jobs: ScriptedJobs) -> None:
    """Each gives the job as it then stands; a page that is done is read again only when it is named."""
    job_id = jobs.add(pages=2)
    jobs.done(job_id, 1)
    assert client.jobs.cancel(job_id).status == "cancelled"
    assert client.jobs.resume(job_id).status == "processing"
    jobs.done(job_id, 2)
    with pytest.raises(Conflict):
        client.jobs.resume(job_id)
    assert client.jobs.rerun(job_id, 1).processed_pages == 1
    assert client.jobs.delete(job_id) == "Job cancelled"
    assert client.jobs.delete(job_id) == "Job deleted"
    with pytest.raises(NotFound):
        client.jobs.get(job_id)


def test_a_list_of_any_length_is_walked(client: RestClient, jobs: ScriptedJobs) -> None:
    """Newest first, page by page through the cursor; a status narrows it."""
    made = [jobs.add(f"{number}.pdf") for number in range(230)]
    assert [job.job_id for job in client.jobs.all()] == made[::-1]
    found = client.jobs.list(limit=2)
    assert [job.filename for job in found.jobs] == ["229.pdf", "228.pdf"]
    assert found.next_cursor
    client.jobs.cancel(made[7])
    assert [job.job_id for job in client.jobs.all(status=JobStatus.CANCELLED)] == [made[7]]


def test_a_file_that_cannot_be_opened_is_told(client: RestClient, tmp_path: Path) -> None:
    """Before anything is sent."""
    with pytest.raises(InvalidDocument, match="cannot be opened: No such file"):
        client.jobs.submit(tmp_path / "none.pdf")


def test_a_gateway_that_is_away_for_a_moment_is_asked_again(
    gateway: FakeGateway, client: RestClient, jobs: ScriptedJobs
) -> None:
    """502 from whatever stands before it: looking again is harmless; resuming is left to the caller."""
    job_id = jobs.add()
    away = [Answer(502), Answer(502)]
    gateway.answer = lambda asked: away.pop() if away else jobs.answer(asked)
    assert client.jobs.get(job_id).job_id == job_id
    away.append(Answer(502))
    with pytest.raises(PeciaError):
        client.jobs.resume(job_id)
