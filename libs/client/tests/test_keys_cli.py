"""`pecia keys`, `pecia audit` and `pecia tenants`, as an operator uses them."""

import json
import re
from pathlib import Path

import pytest
from pecia_client.cli import app
from pecia_client.testing import Answer, FakeGateway
from pecia_core.keys import KeyRing, Scope, parse_keys
from typer.testing import CliRunner, Result


def pecia(*words: object) -> Result:
    """Run the command in this process; tables are as wide as they want."""
    return CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "200"})


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A keys file and an audit log that the environment names."""
    monkeypatch.setenv("PECIA_AUTH__KEYS_FILE", str(tmp_path / "keys.toml"))
    monkeypatch.setenv("PECIA_AUDIT__FILE", str(tmp_path / "audit.jsonl"))
    return tmp_path / "keys.toml"


def ring(file: Path) -> KeyRing:
    """What services would read."""
    return parse_keys(file.read_text())


def created(*words: str) -> str:
    """The key that a command shows, once, and not on standard output."""
    result = pecia("keys", "create", "--tenant", "odoo", *words)
    assert result.exit_code == 0, result.stderr
    (key,) = re.findall(r"pk_[0-9a-f]{8}_\S{43}", result.stderr)
    assert result.stdout == ""
    return str(key)


def test_a_key_is_made_listed_and_revoked(file: Path) -> None:
    """In the file at once; the list shows no key and no hash, and says what became of it."""
    key = created("--name", "invoices", "--scope", "ocr", "--expires", "90d")
    record = ring(file).admit(key)
    assert (record.name, record.scopes) == ("invoices", (Scope.OCR,))
    assert record.expires is not None
    listed = pecia("keys", "list").stdout
    for shown in (record.id, "odoo", "invoices", "ocr", f"until {record.expires:%Y-%m-%d}"):
        assert shown in listed
    assert key not in listed
    assert record.sha256 not in listed
    assert pecia("keys", "revoke", record.id).exit_code == 0
    assert "was revoked" in pecia("keys", "list").stdout


def test_what_cannot_be_is_a_usage_error(file: Path) -> None:
    """Exit code 2 and the rule; nothing is written."""
    for words, said in (
        (("create", "--tenant", "odoo", "--expires", "soon"), "90d"),
        (("create", "--tenant", "odoo", "--scope", "root"), "admin"),
        (("create", "--tenant", "a b"), "letters"),
        (("revoke", "ffffffff"), "no keys file"),
        (("list",), "no keys file"),
    ):
        result = pecia("keys", *words)
        assert result.exit_code == 2
        assert said in re.sub(r"[\s│]+", " ", result.stderr)
    assert not file.exists()


def test_a_third_live_key_of_a_name_is_refused(file: Path) -> None:
    """The message names the two, by their ids."""
    first, second = created(), created()
    result = pecia("keys", "create", "--tenant", "odoo")
    assert result.exit_code == 2
    for key in (first, second):
        assert key.split("_")[1] in result.stderr
        assert key not in result.stderr
    assert len(ring(file)) == 2


def test_last_use_comes_from_the_gateway(file: Path, gateway: FakeGateway) -> None:
    """For whom it tells; a refusal is said, and the rest listed all the same."""
    key = created()
    record = ring(file).admit(key)
    used = {"keys": [{"id": record.id, "last_used_at": 1_800_000_000.0}]}
    gateway.answer = lambda _: Answer.of(used)
    shown = pecia("keys", "list", "--api-base", gateway.url, "--api-key", "pk_admin")
    assert "2027-01-15 08:00" in shown.stdout
    error = {"message": "This key is not for that.", "code": "missing_scope_admin"}
    gateway.answer = lambda _: Answer.of({"error": error}, 403)
    shown = pecia("keys", "list", "--api-base", gateway.url, "--api-key", "pk_admin")
    assert record.id in shown.stdout
    assert "is not for that" in shown.stderr


def test_what_was_done_to_keys_is_in_the_log(file: Path) -> None:
    """By id; and the log is whole, until a line is taken out."""
    ids = [created("--name", name).split("_")[1] for name in "abc"]
    pecia("keys", "revoke", ids[0])
    log = file.with_name("audit.jsonl")
    acts = [(line["what"], line["target"]) for line in map(json.loads, log.read_text().splitlines())]
    assert acts == [*(("key.created", one) for one in ids), ("key.revoked", ids[0])]
    whole = pecia("audit", "verify", log)
    assert whole.exit_code == 0
    assert "4 lines, whole. The last is number 4" in whole.stdout
    end = whole.stdout.split()[-1]
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join([lines[0], *lines[2:]]))
    broken = pecia("audit", "verify", log)
    assert broken.exit_code == 1
    assert "line 2: 1 lines are missing" in broken.stderr
    log.write_bytes(b"".join(lines[:3]))
    assert pecia("audit", "verify", log).exit_code == 0
    assert pecia("audit", "verify", log, "--ends-with", end).exit_code == 1
    log.write_bytes(b"".join(lines))
    assert pecia("audit", "verify", log, "--ends-with", end).exit_code == 0


def test_a_tenant_is_deleted_after_a_question(gateway: FakeGateway) -> None:
    """The receipt is on standard output; the exit code says whether anything is left."""
    receipt = {"tenant": "acme", "gone": True}
    gateway.answer = lambda _: Answer.of(receipt)
    base = ("--api-base", gateway.url, "--api-key", "pk_admin")
    asked = pecia("tenants", "delete", "acme", *base)
    assert asked.exit_code == 1
    assert gateway.asked == []
    done = pecia("tenants", "delete", "acme", "--yes", *base)
    assert (done.exit_code, json.loads(done.stdout)) == (0, receipt)
    gateway.answer = lambda _: Answer.of(receipt | {"gone": False})
    assert pecia("tenants", "delete", "acme", "--yes", *base).exit_code == 1
    assert [(one.method, one.path) for one in gateway.asked] == [("DELETE", "/v1/tenants/acme")] * 2
    gateway.answer = lambda _: Answer.of({"holdings": {"jobs": 1}})
    assert json.loads(pecia("tenants", "show", "acme", *base).stdout) == {"holdings": {"jobs": 1}}
