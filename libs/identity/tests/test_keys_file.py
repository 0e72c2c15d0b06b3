"""The keys file as `pecia keys` changes it, and as services that run see it."""

import os
import re
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pecia_core.errors import PermissionDenied, Unauthenticated
from pecia_core.keys import KeyWish, Scope, create_key, parse_keys
from pecia_identity.keys_file import KeysFile, watched_keys

SOON = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)


@pytest.fixture
def file(tmp_path: Path) -> KeysFile:
    """One that is not there yet."""
    return KeysFile(tmp_path / "keys.toml")


def test_a_key_is_kept_as_its_hash_for_its_owner_alone(file: KeysFile, tmp_path: Path) -> None:
    """Mode 0600 from the first moment on; the key itself is nowhere."""
    key, record = file.create(KeyWish("acme", "invoices", (Scope.OCR,), SOON))
    path = tmp_path / "keys.toml"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert key not in path.read_text()
    found = parse_keys(path.read_text()).admit(key)
    assert found == record
    assert (found.tenant, found.name, found.scopes) == ("acme", "invoices", (Scope.OCR,))
    assert key.split("_")[1] == found.id


def test_what_people_wrote_stays(file: KeysFile, tmp_path: Path) -> None:
    """Comments, order and records of older days."""
    former, snippet = create_key("former")
    path = tmp_path / "keys.toml"
    old = "\n".join(line for line in snippet.splitlines() if not re.match("scopes|created", line))
    path.write_text(f"# ask Ana before changing this\n{old}\n\n# the second\n")
    key, _ = file.create(KeyWish("acme"))
    file.revoke(key.split("_")[1])
    text = path.read_text()
    assert text.startswith(f"# ask Ana before changing this\n{old}\n\n# the second\n")
    record = parse_keys(text).admit(former)
    assert record.scopes == (Scope.OCR, Scope.JOBS)
    assert (record.created, record.expires, record.revoked) == (None, None, None)


def test_two_keys_of_a_name_are_live_and_no_third(file: KeysFile) -> None:
    """One that is used and one that follows it; a revoked one makes room, another name has its own two."""
    first, _ = file.create(KeyWish("acme", "app"))
    file.create(KeyWish("acme", "app"))
    with pytest.raises(ValueError, match="Two keys of this tenant and name are live") as refused:
        file.create(KeyWish("acme", "app"))
    assert first.split("_")[1] in str(refused.value)
    assert first not in str(refused.value)
    file.create(KeyWish("acme", "other"))
    file.create(KeyWish("beta", "app"))
    file.revoke(first.split("_")[1])
    file.create(KeyWish("acme", "app"))
    assert len(file.records()) == 5


def test_a_revoked_key_is_told_so_and_stays_listed(file: KeysFile, tmp_path: Path) -> None:
    """Only who holds the whole key hears it."""
    key, record = file.create(KeyWish("acme"))
    file.revoke(record.id)
    ring = parse_keys((tmp_path / "keys.toml").read_text())
    with pytest.raises(Unauthenticated, match="was revoked") as refused:
        ring.admit(key)
    assert key not in refused.value.message
    with pytest.raises(Unauthenticated, match="not known"):
        ring.admit(key[:-1])
    with pytest.raises(ValueError, match="revoked before"):
        file.revoke(record.id)
    with pytest.raises(ValueError, match="no key of this id"):
        file.revoke("ffffffff")


def test_an_expired_key_says_when(file: KeysFile, tmp_path: Path) -> None:
    """Not before its moment."""
    key, _ = file.create(KeyWish("acme", expires=SOON))
    ring = parse_keys((tmp_path / "keys.toml").read_text())
    assert ring.admit(key).tenant == "acme"
    with pytest.raises(Unauthenticated, match=r"expired at 20\d\d-\d\d-\d\d \d\d:\d\d UTC"):
        ring.admit(key, now=SOON)


def test_commands_at_once_lose_no_key(file: KeysFile) -> None:
    """Each changes the file of the one before."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: file.create(KeyWish(f"tenant{number}")), range(24)))
    assert {record.tenant for record in file.records()} == {f"tenant{number}" for number in range(24)}


def test_a_broken_file_is_left_alone(file: KeysFile, tmp_path: Path) -> None:
    """Nobody's keys are lost to a command."""
    path = tmp_path / "keys.toml"
    path.write_text("not = [toml")
    with pytest.raises(ValueError, match="not TOML"):
        file.create(KeyWish("acme"))
    assert path.read_text() == "not = [toml"
    assert [one.name for one in tmp_path.iterdir() if not one.name.endswith(".lock")] == ["keys.toml"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """The file behind it is changed."""
    (tmp_path / "real").mkdir()
    (tmp_path / "keys.toml").symlink_to(tmp_path / "real" / "keys.toml")
    KeysFile(tmp_path / "keys.toml").create(KeyWish("acme"))
    assert (tmp_path / "keys.toml").is_symlink()
    assert len(parse_keys((tmp_path / "real" / "keys.toml").read_text())) == 1


def test_services_notice_what_a_command_did(file: KeysFile, tmp_path: Path) -> None:
    """Without a restart; a file that breaks or goes leaves the former keys in force."""
    first, record = file.create(KeyWish("acme", "app"))
    seen = watched_keys(tmp_path / "keys.toml", 0)
    second, _ = file.create(KeyWish("acme", "app"))
    assert seen.now().admit(first).tenant == "acme"
    assert seen.now().admit(second).tenant == "acme"
    file.revoke(record.id)
    with pytest.raises(Unauthenticated):
        seen.now().admit(first)
    os.truncate(tmp_path / "keys.toml", 40)
    assert seen.now().admit(second).tenant == "acme"
    (tmp_path / "keys.toml").unlink()
    assert seen.now().admit(second).tenant == "acme"


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('scopes = ["root"]', "scopes may have only ocr, jobs, admin"),
        ("scopes = [1]", "scopes may have only"),
        ("scopes = []", "at least one"),
        ('name = "a b"', "name is 1 to 64"),
        ("expires = 2027-01-01T00:00:00", "carry their zone"),
        ("expires = 2027-01-01", "must be of type datetime"),
        ('expires = "tomorrow"', "must be of type datetime"),
    ],
)
def test_a_wrong_line_says_what_is_wrong(line: str, complaint: str) -> None:
    """A service must not start with a key that means something else than its owner thinks."""
    _, snippet = create_key("acme")
    kept = [one for one in snippet.splitlines() if not one.startswith("scopes")]
    with pytest.raises(ValueError, match=re.escape(complaint)):
        parse_keys("\n".join([*kept, line]))


def test_a_missing_scope_is_named() -> None:
    """By the code, for programs, and by the message, for people."""
    _, snippet = create_key("acme")
    record = next(iter(parse_keys(snippet)))
    record.require(Scope.JOBS)
    record.require(Scope.ADMIN, Scope.OCR)
    with pytest.raises(PermissionDenied, match="this needs admin") as refused:
        record.require(Scope.ADMIN)
    assert refused.value.code == "missing_scope_admin"
