"""Jobs on the page, run by Streamlit's own test runner against a real HTTP server: U16 and J16."""

import time
from base64 import b64encode
from collections.abc import Callable

import pytest
from pecia_client.testing.jobs import ScriptedJobs
from pecia_ui.testing.gateway import Answer, Asked, StandIn, page, reading
from pecia_ui.testing.visitor import click, look, opened, picture, recognised, said, submit, upload
from pecia_ui.views.addresses import HISTORY, MANUAL, QUICK
from streamlit.testing.v1 import AppTest

PDF = b"%PDF-1.7 of many pages"


def shows(site: AppTest, true: Callable[[], object], patience_s: float = 30.0) -> None:
    """Look again until it is true: what a gateway tells takes a moment to arrive."""
    end = time.monotonic() + patience_s
    while not true():
        assert time.monotonic() < end, said(site)
        time.sleep(0.1)
        look(site)


def keys(site: AppTest) -> list[str]:
    """The buttons that are there."""
    return [str(button.key) for button in site.button]


def too_long(_asked: Asked) -> Answer:
    """What the gateway says of a PDF it would be too long waited for."""
    return Answer.refusal(400, "pdf_too_many_pages", "The PDF has more than 8 pages: use /v1/jobs.")


def test_three_modes_can_be_chosen(site: AppTest) -> None:
    """U16: Quick Process first; each shows something of its own."""
    (mode,) = [one for one in site.segmented_control if one.key == "mode"]
    assert mode.options == [QUICK, MANUAL, HISTORY]
    assert mode.value == QUICK
    mode.set_value(MANUAL).run()
    assert "manual-submit" in keys(site)
    site.segmented_control(key="mode").set_value(HISTORY).run()
    assert "There is no such job" in said(site)  # this gateway takes none


def test_a_long_pdf_becomes_a_job_by_itself(gateway: StandIn, jobs: ScriptedJobs, site: AppTest) -> None:
    """Quick Process: one click; the job is followed in place, its pages come one by one, then its files."""
    gateway.answer = too_long
    submit(upload(site, "thesis.pdf", PDF))
    (job_id,) = jobs.jobs
    assert jobs.jobs[job_id].filename == "thesis.pdf"
    assert jobs.jobs[job_id].form["task_type"] == "free_ocr"
    assert site.query_params["job"] == job_id
    jobs.done(job_id, 1, "Bab satu")
    shows(site, lambda: "1 of 3 pages" in said(site))
    assert recognised(site) == "Bab satu"
    assert "Processing complete!" not in said(site)
    assert "job-cancel" in keys(site)
    jobs.done(job_id, 2, "Bab dua")
    shows(site, lambda: recognised(site) == "Bab dua")
    jobs.done(job_id, 3, "Bab tiga")
    shows(site, lambda: "Processing complete!" in said(site))
    site.toggle(key="job-whole").set_value(True).run()
    assert recognised(site) == "Bab satu\n\nBab dua\n\nBab tiga"
    labels = [str(button.proto.label) for button in site.get("download_button")]
    assert labels == ["Markdown", "Text", "JSON", "Tables"]


def test_a_large_file_is_not_sent_twice(
    gateway: StandIn, jobs: ScriptedJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Above the gateway's limit for pictures it is a job at once."""
    monkeypatch.setenv("API_BASE", gateway.url)
    monkeypatch.setenv("PECIA_UI__MAX_UPLOAD_MB", "0.0001")
    submit(upload(opened(), "scan.pdf", PDF * 10))
    assert len(jobs.jobs) == 1
    assert gateway.readings == []


def test_a_short_pdf_is_read_at_once(gateway: StandIn, site: AppTest) -> None:
    """It travels as a file; the text comes, and no job is made."""
    submit(upload(site, "letter.pdf", b"%PDF-1.7 short"))
    (part,) = [p for p in gateway.readings[0].json()["messages"][0]["content"] if p["type"] == "file"]
    assert part["file"]["file_data"].startswith("data:application/pdf;base64,")
    assert site.success
    assert recognised(site) == "Hello"


def test_the_pages_of_a_short_pdf_stand_beside_its_text(gateway: StandIn, site: AppTest) -> None:
    """Whoever reads them shows them; one at a time. A picture is asked for of PDFs only."""
    sheets = [picture("white"), picture("red")]
    shown = [
        page([f"Halaman {n}"]) | {"annotated_png": b64encode(one).decode()} for n, one in enumerate(sheets)
    ]
    gateway.answer = lambda _asked: reading(shown[0], pages=shown)
    submit(upload(site, "letter.pdf", b"%PDF-1.7 short"))
    assert gateway.readings[-1].json()["annotate"] is True
    assert seen(site) == ["Page 1 with boxes around 1 line of text"]
    site.number_input(key="pdf-page").set_value(2).run()
    assert seen(site) == ["Page 2 with boxes around 1 line of text"]
    submit(upload(site))
    assert "annotate" not in gateway.readings[-1].json()


def test_every_option_of_a_job_is_sent(gateway: StandIn, jobs: ScriptedJobs, site: AppTest) -> None:
    """Manual Control: task, size, model, languages, pages, priority, begin, webhook, password, text layer."""
    site.segmented_control(key="mode").set_value(MANUAL).run()
    assert site.button(key="manual-submit").disabled
    site.file_uploader[0].upload("scan.pdf", PDF, "application/pdf")
    site.selectbox(key="manual-task").select("Locate Object").run()
    site.selectbox(key="manual-size").select("Tiny")
    site.selectbox(key="manual-model").select("rapid")
    site.selectbox(key="manual-priority").select("high")
    for name, value in {
        "languages": "ind, eng",
        "pages": "1-3, 7",
        "webhook": "https://example.com/done",
        "password": "sesame",
        "ref-text": "Total",
    }.items():
        site.text_input(key=f"manual-{name}").input(value)
    site.toggle(key="manual-text-layer").set_value(False)
    click(site, "manual-submit")
    (job,) = jobs.jobs.values()
    assert job.form.pop("file") == PDF.decode()
    assert job.form == {
        "task_type": "locate",
        "model_size": "Tiny",
        "model": "rapid",
        "ref_text": "Total",
        "languages": "ind,eng",
        "pages": "1-3,7",
        "priority": "high",
        "webhook_url": "https://example.com/done",
        "password": "sesame",
        "text_layer": "off",
    }
    assert "0 of 3 pages" in said(site)
    assert "sesame" not in said(site)


def test_a_refused_job_is_told(gateway: StandIn, site: AppTest) -> None:
    """In the gateway's words, with what to do."""
    gateway.jobs = lambda _: Answer.refusal(400, "pdf_encrypted", "The PDF is encrypted.")
    gateway.answer = too_long
    submit(upload(site, "secret.pdf", PDF))
    assert "The PDF is encrypted." in said(site)
    assert "type its password" in said(site)


def test_a_reload_keeps_the_job(gateway: StandIn, jobs: ScriptedJobs, site: AppTest) -> None:
    """A second browser with the same address sees the same job; its first page at once."""
    job_id = jobs.add("scan.pdf")
    jobs.done(job_id, 2, "Zwei")
    other = opened(job=job_id)
    assert other.segmented_control(key="mode").value == HISTORY
    shows(other, lambda: "1 of 3 pages" in said(other))
    assert recognised(other) == "Zwei"
    assert other.query_params["mode"] == "history"
    click(other, "history-back")
    assert "job" not in other.query_params
    assert f"open-{job_id}" in keys(other)


def test_failed_pages_are_named_and_read_again(gateway: StandIn, jobs: ScriptedJobs, site: AppTest) -> None:
    """Their error and a button each; a job with pages missing is not called complete without saying so."""
    job_id = jobs.add()
    for number in (1, 3):
        jobs.done(job_id, number)
    jobs.fail(job_id, 2, "The picture is <b>damaged</b>.")
    other = opened(job=job_id)
    shows(other, lambda: "1 page could not be read" in [one.label for one in other.expander])
    assert "Processing complete, but 1 page is missing." in [one.value for one in other.warning]
    assert "Page 2:" in said(other)
    assert "<b>damaged</b>" in said(other)  # as it was escaped
    assert all(not element.allow_html for element in other.markdown)
    click(other, "job-rerun-2")
    assert jobs.jobs[job_id].pages[2].status == "ready"
    jobs.done(job_id, 2)
    shows(other, lambda: "3 of 3 pages" in said(other))
    assert "job-resume" not in keys(other)


def test_a_job_is_cancelled_resumed_and_deleted(jobs: ScriptedJobs, site: AppTest) -> None:
    """Each after a click; deleting only from behind a second one, and it leads back to the list."""
    job_id = jobs.add()
    jobs.done(job_id, 1)
    other = opened(job=job_id)
    shows(other, lambda: "job-cancel" in keys(other))
    click(other, "job-cancel")
    assert jobs.jobs[job_id].state == "cancelled"
    shows(other, lambda: "job-resume" in keys(other))
    click(other, "job-resume")
    assert jobs.jobs[job_id].state == "running"
    for number in (2, 3):
        jobs.done(job_id, number)
    shows(other, lambda: "job-delete" in keys(other))
    click(other, "job-delete")
    assert jobs.jobs == {}
    assert "There are no jobs yet." in said(other)


def test_the_history_is_paged_and_filtered(jobs: ScriptedJobs, site: AppTest) -> None:
    """Newest first, twenty at a time, older and newer; only those with a status; one opened."""
    made = [jobs.add(f"{number}.pdf") for number in range(25)]
    jobs.done(made[3], 1)
    site.segmented_control(key="mode").set_value(HISTORY).run()
    assert next(key for key in keys(site) if key.startswith("open-")) == f"open-{made[24]}"
    click(site, "history-older")
    assert [key for key in keys(site) if key.startswith("open-")] == [f"open-{one}" for one in made[4::-1]]
    click(site, "history-newer")
    assert f"open-{made[24]}" in keys(site)
    site.segmented_control(key="history-status").set_value("processing").run()
    assert [key for key in keys(site) if key.startswith("open-")] == [f"open-{made[3]}"]
    click(site, f"open-{made[3]}")
    assert site.query_params["job"] == made[3]
    shows(site, lambda: "1 of 3 pages" in said(site))


def test_a_job_of_somebody_else_is_not_there(jobs: ScriptedJobs, site: AppTest) -> None:
    """The key decides; the page says so and stops asking."""
    job_id = jobs.add(owner="Bearer pk-other")
    assert "There is no such job" in said(opened(job=job_id))


def test_a_page_that_is_not_there_yet_is_said(jobs: ScriptedJobs, site: AppTest) -> None:
    """Any page can be asked for while the newest one is shown by itself until then."""
    job_id = jobs.add()
    jobs.done(job_id, 1, "Eins")
    other = opened(job=job_id)
    shows(other, lambda: recognised(other) == "Eins")
    other.toggle(key="job-newest").set_value(False).run()
    other.number_input(key="job-page").set_value(3).run()
    assert "Page 3 has not been read yet." in [one.value for one in other.info]
    jobs.done(job_id, 2, "Zwei")
    shows(other, lambda: "Done: 1-2" in said(other))
    assert other.number_input(key="job-page").value == 3


def seen(site: AppTest) -> list[str]:
    """What the pictures of pages are said to show."""
    return [one.proto.imgs[0].alt for one in site.image if one.proto.imgs[0].alt.startswith("Page ")]


@pytest.mark.parametrize("address", [{"mode": "quick"}, {"mode": "manual"}, {"mode": "history"}])
def test_a_page_stands_beside_its_text(jobs: ScriptedJobs, site: AppTest, address: dict[str, str]) -> None:
    """In every mode: as the gateway draws it, with boxes around its lines that can be taken away."""
    job_id = jobs.add(pages=1)
    jobs.done(job_id, 1, "Eins")
    other = opened(job=job_id, **address)
    shows(other, lambda: recognised(other) == "Eins")
    assert seen(other) == ["Page 1 with boxes around 1 line of text"]
    other.toggle(key="job-boxes").set_value(False).run()
    assert seen(other) == ["Page 1"]


def test_a_page_is_seen_before_it_is_read(jobs: ScriptedJobs, gateway: StandIn, site: AppTest) -> None:
    """Asked for once, however often the page renews itself; nothing is marked on it."""
    job_id = jobs.add()
    jobs.done(job_id, 1, "Eins")
    other = opened(job=job_id)
    shows(other, lambda: recognised(other) == "Eins")
    other.toggle(key="job-newest").set_value(False).run()
    other.number_input(key="job-page").set_value(3).run()
    for _ in range(3):
        look(other)
    assert seen(other) == ["Page 3"]
    assert sum(one.path.endswith("/pages/3/image") for one in gateway.asked) == 1


def test_a_page_that_cannot_be_shown_says_why(jobs: ScriptedJobs, gateway: StandIn, site: AppTest) -> None:
    """Its text is there all the same, and where it stands, on blank paper; nobody asks again for nothing."""
    gone = Answer.refusal(410, "document_gone", "The password was forgotten.")
    scripted = gateway.jobs
    gateway.jobs = lambda asked: gone if asked.path.endswith("/image") else scripted(asked)
    job_id = jobs.add(pages=1)
    jobs.done(job_id, 1, "Eins")
    other = opened(job=job_id)
    shows(other, lambda: recognised(other) == "Eins")
    look(other)
    assert "The password was forgotten." in said(other)
    assert seen(other) == ["Page 1 with boxes around 1 line of text"]
    assert sum(one.path.endswith("/image") for one in gateway.asked) == 1


def test_a_picture_that_is_late_is_asked_for_again(
    jobs: ScriptedJobs, gateway: StandIn, site: AppTest
) -> None:
    """Too many at once passes: the next look has it."""
    busy = [Answer.refusal(429, "rate_limit_exceeded", "Too many pictures at once.", retry_after="1")]
    scripted = gateway.jobs
    gateway.jobs = lambda asked: busy.pop() if asked.path.endswith("/image") and busy else scripted(asked)
    job_id = jobs.add(pages=1)
    jobs.done(job_id, 1, "Eins")
    other = opened(job=job_id)
    shows(other, lambda: recognised(other) == "Eins")
    shows(other, lambda: "Too many pictures" not in said(other))
    assert seen(other) == ["Page 1 with boxes around 1 line of text"]


def test_a_picture_nobody_can_draw_on_is_not_a_failure(jobs: ScriptedJobs, site: AppTest) -> None:
    """What comes as a picture and is none leaves the text where it is."""
    jobs.picture = b"no picture"
    job_id = jobs.add(pages=1)
    jobs.done(job_id, 1, "Eins")
    other = opened(job=job_id)
    shows(other, lambda: recognised(other) == "Eins")
    assert "This picture cannot be shown here." in said(other)
