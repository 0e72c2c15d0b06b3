"""What operators do: keys with their last use, a tenant's data shown and deleted, with lines in the log."""

import asyncio
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pecia_core.keys import KeyWish, Scope
from pecia_dispatch.testing import ScriptedOcr
from pecia_identity.chain import troubles
from pecia_identity.keys_file import KeysFile


@dataclass
class Doors:
    """A keys file with three keys, an audit log, and the settings that name them."""

    folder: Path

    def __post_init__(self) -> None:
        self.file = KeysFile(self.folder / "keys.toml")
        self.acme, self.acme_record = self.file.create(KeyWish("acme"))
        self.beta, _ = self.file.create(KeyWish("beta"))
        self.admin, _ = self.file.create(KeyWish("operator", scopes=(Scope.ADMIN,)))
        self.log = self.folder / "audit.jsonl"

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "auth": {"keys_file": self.folder / "keys.toml", "reload_s": 0},
            "audit": {"file": str(self.log)},
        }

    def acts(self, what: str = "") -> list[dict[str, Any]]:
        """What the log says, whole."""
        with self.log.open("rb") as file:
            assert list(troubles(file)) == []
        lines = [json.loads(line) for line in self.log.read_text().splitlines()]
        return [line for line in lines if not what or line["what"] == what]


@pytest.fixture
def doors(tmp_path: Path) -> Doors:
    """For two tenants and an operator."""
    return Doors(tmp_path)


def bearer(key: str) -> dict[str, str]:
    """As a header."""
    return {"authorization": f"Bearer {key}"}


async def prepared(gateway: Any, doors: Doors) -> None:
    """Until there are tables; the operator's key is used for it."""
    while (await gateway.client.get("/v1/tenants/nobody", headers=bearer(doors.admin))).status_code == 503:
        await asyncio.sleep(0.02)


async def made_by(gateway: Any, key: str, pdf: Any) -> str:
    """A job, with a name that must not get into the log."""
    files = {"file": ("Kündigung Müller.pdf", pdf(2), "application/pdf")}
    answer = await gateway.client.post("/v1/jobs", files=files, headers=bearer(key))
    assert answer.status_code == 200, answer.text
    return str(answer.json()["job_id"])


async def test_a_tenant_is_deleted_with_a_receipt(
    start: Any, ocr: ScriptedOcr, doors: Doors, with_jobs: dict[str, Any], pdf: Any
) -> None:
    """What was there and what is gone, in the answer and in the log; another tenant keeps all."""
    async with start(ocr, **with_jobs, **doors.settings) as gateway:
        await prepared(gateway, doors)
        job = await made_by(gateway, doors.acme, pdf)
        other = await made_by(gateway, doors.beta, pdf)
        operator = bearer(doors.admin)
        shown = (await gateway.client.get("/v1/tenants/acme", headers=operator)).json()
        assert (shown["holdings"]["jobs"], shown["holdings"]["blobs"]) == (1, 1)
        assert shown["live_keys"] == [doors.acme_record.id]
        receipt = (await gateway.client.delete("/v1/tenants/acme", headers=operator)).json()
        assert receipt["had"] == shown["holdings"]
        assert set(receipt["left"].values()) == {0}
        assert list(receipt["results"].values()) == [3]
        assert receipt["gone"] is True
        gone = await gateway.client.get(f"/v1/jobs/{job}", headers=bearer(doors.acme))
        kept = await gateway.client.get(f"/v1/jobs/{other}", headers=bearer(doors.beta))
        assert (gone.status_code, kept.status_code) == (404, 200)
    assert ocr.forgotten == ["acme"]
    (line,) = doors.acts("tenant.deleted")
    assert line["target"] == "acme"
    assert (line["tenant"], line["outcome"]) == ("operator", "done")
    assert line["detail"]["had"] == receipt["had"]
    assert line["detail"]["gone"] is True


async def test_a_pod_that_does_not_answer_is_in_the_receipt(
    start: Any, ocr: ScriptedOcr, doors: Doors, with_jobs: dict[str, Any]
) -> None:
    """What it kept goes when its time is over; nobody is told that all is gone."""

    async def forget(*_: object) -> None:
        raise RuntimeError

    ocr.Forget = forget  # type: ignore[method-assign,assignment]
    async with start(ocr, **with_jobs, **doors.settings) as gateway:
        await prepared(gateway, doors)
        receipt = (await gateway.client.delete("/v1/tenants/acme", headers=bearer(doors.admin))).json()
    assert list(receipt["results"].values()) == [None]
    assert receipt["gone"] is False


@pytest.mark.parametrize("name", ["a b", "a%2Fb", "x" * 65, "..%2F..%2Fetc", "ä"])
async def test_a_name_that_no_tenant_has_is_refused(
    start: Any, ocr: ScriptedOcr, doors: Doors, with_jobs: dict[str, Any], name: str
) -> None:
    """Before anything is looked up."""
    async with start(ocr, **with_jobs, **doors.settings) as gateway:
        answer = await gateway.client.delete(f"/v1/tenants/{name}", headers=bearer(doors.admin))
        assert answer.status_code in {400, 404}
    assert ocr.forgotten == []


async def test_keys_are_listed_with_their_last_use(
    start: Any, ocr: ScriptedOcr, doors: Doors, with_jobs: dict[str, Any]
) -> None:
    """Also by a gateway that was started later; without hashes, and without keys."""
    used = False
    for _ in range(2):
        async with start(ocr, **with_jobs, **doors.settings) as gateway:
            await prepared(gateway, doors)
            if not used:
                used = True
                await gateway.client.get("/v1/models", headers=bearer(doors.acme))
            answer = await gateway.client.get("/v1/keys", headers=bearer(doors.admin))
        listed = {one["tenant"]: one for one in answer.json()["keys"]}
        assert listed["acme"]["last_used_at"] > listed["acme"]["created_at"]
        assert listed["beta"]["last_used_at"] is None
        assert listed["operator"]["scopes"] == ["admin"]
        assert not any(key in answer.text for key in (doors.acme, doors.beta, doors.admin))
        assert doors.acme_record.sha256 not in answer.text


async def test_keys_that_grpc_callers_use_are_listed_too(
    start: Any, ocr: ScriptedOcr, doors: Doors, with_jobs: dict[str, Any]
) -> None:
    """The pods are asked with the operator's own key; what they say is kept, and an older moment is not."""
    beta = next(one for one in doors.file.records() if one.tenant == "beta")
    moment = time.time() - 60
    ocr.key_uses = {beta.id: moment, "00000000": 5.0}
    for told in (moment, moment - 1000):
        ocr.key_uses[beta.id] = told
        async with start(ocr, **with_jobs, **doors.settings) as gateway:
            await prepared(gateway, doors)
            answer = await gateway.client.get("/v1/keys", headers=bearer(doors.admin))
        listed = {one["tenant"]: one for one in answer.json()["keys"]}
        assert listed["beta"]["last_used_at"] == moment
        assert listed["acme"]["last_used_at"] is None
    assert any(seen.metadata.get("authorization") == f"Bearer {doors.admin}" for seen in ocr.seen)


async def test_the_log_tells_who_did_what_and_nothing_of_documents(
    start: Any, ocr: ScriptedOcr, doors: Doors, with_jobs: dict[str, Any], pdf: Any
) -> None:
    """Made, looked at, cancelled and deleted; wrong keys and missing scopes; no name, text or key."""
    async with start(ocr, **with_jobs, **doors.settings) as gateway:
        client = gateway.client
        await prepared(gateway, doors)
        job = await made_by(gateway, doors.acme, pdf)
        request_id = {"x-request-id": "the-request"}
        await client.delete(f"/v1/jobs/{job}", headers=bearer(doors.acme) | request_id)
        await client.delete(f"/v1/jobs/{job}", headers=bearer(doors.acme))
        again = await made_by(gateway, doors.acme, pdf)
        await client.post(f"/v1/jobs/{again}/cancel", headers=bearer(doors.acme))
        await client.post(f"/v1/jobs/{again}/pages/1/rerun", headers=bearer(doors.acme))
        await client.get("/v1/webhooks/secrets", headers=bearer(doors.acme))
        await client.get("/v1/jobs", headers=bearer("pk_00000000_wrong"))
        await client.get("/v1/keys", headers=bearer(doors.acme))
        doors.file.revoke(doors.acme_record.id)
        await client.get("/v1/jobs", headers=bearer(doors.acme))
    acts = [line for line in doors.acts() if line["tenant"] != "operator"]
    did = [(line["what"], line["outcome"], line["tenant"]) for line in acts]
    assert did == [
        ("job.created", "done", "acme"),
        ("job.cancelled", "done", "acme"),
        ("job.deleted", "done", "acme"),
        ("job.created", "done", "acme"),
        ("job.cancelled", "done", "acme"),
        ("job.rerun", "done", "acme"),
        ("webhook.secrets_read", "done", "acme"),
        ("key.refused", "refused", ""),
        ("key.refused", "refused", "acme"),
        ("key.refused", "refused", "acme"),
    ]
    cancelled = doors.acts("job.cancelled")[0]
    assert cancelled["request"] == "the-request"
    assert cancelled["source"] == "127.0.0.1"
    assert cancelled["key"] == doors.acme_record.id
    assert cancelled["target"] == job.partition("_")[2]
    assert [line["detail"]["code"] for line in doors.acts("key.refused")] == [
        "invalid_api_key",
        "missing_scope_admin",
        "invalid_api_key",
    ]
    text = doors.log.read_text()
    assert not any(
        word in text for word in ("ndigung", "ller", "Kundigung", "wrong", doors.acme, doors.admin)
    )
