"""API keys: found by hash, never shown."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pecia_core.keys import KeyRecord, KeyRing, create_key, hash_key, new_key, parse_keys

SECRET = "pk_0123abcd_correct-horse"
RECORD = KeyRecord(id="0123abcd", tenant="odoo", sha256=hash_key(SECRET))
FILE = f'[[keys]]\nid = "0123abcd"\ntenant = "odoo"\nsha256 = "{hash_key(SECRET)}"\n'


def test_a_key_is_found_by_itself_alone() -> None:
    """The key opens; its hash, its parts and anything else do not."""
    ring = KeyRing([RECORD])
    assert ring.find(SECRET) is RECORD
    for wrong in ("", hash_key(SECRET), SECRET[:-1], SECRET + " ", SECRET.upper(), "0123abcd"):
        assert ring.find(wrong) is None


def test_any_of_many_keys_is_found() -> None:
    """First, middle and last alike."""
    keys = [new_key() for _ in range(20)]
    ring = KeyRing(KeyRecord(f"key{number}", "t", hash_key(key)) for number, key in enumerate(keys))
    assert len(ring) == 20
    for number, key in enumerate(keys):
        found = ring.find(key)
        assert found is not None
        assert found.id == f"key{number}"


@given(presented=st.text(st.characters(), max_size=50))
def test_whatever_is_presented_is_only_wrong(presented: str) -> None:
    """Any text a header can hold is looked up without an error, halves of surrogate pairs included."""
    assert KeyRing([RECORD]).find(presented) is None


def test_no_keys_let_nobody_in() -> None:
    """An empty file is a closed door, not an open one."""
    assert parse_keys("").find(SECRET) is None
    assert KeyRing().find("") is None


def test_every_record_is_compared() -> None:
    """The search does not stop at the key that fits: time would tell where it stands."""
    looked_at: list[str] = []

    class Watched(KeyRecord):
        def __getattribute__(self, name: str) -> object:
            if name == "sha256":
                looked_at.append(self.id)
            return super().__getattribute__(name)

    keys = [new_key() for _ in range(4)]
    ring = KeyRing(Watched(f"key{number}", "t", hash_key(key)) for number, key in enumerate(keys))
    looked_at.clear()
    assert ring.find(keys[0])
    assert looked_at == ["key0", "key1", "key2", "key3"]


class TestFile:
    def test_a_record_needs_only_its_three_names(self) -> None:
        """Limits have defaults."""
        assert parse_keys(FILE).find(SECRET) == RECORD
        assert (RECORD.requests_per_minute, RECORD.max_in_flight, RECORD.trusted) == (600, 16, False)

    def test_every_field_is_read(self) -> None:
        """Limits and trust come from the file."""
        found = parse_keys(FILE + "requests_per_minute = 0\nmax_in_flight = 2\ntrusted = true\n").find(SECRET)
        assert found == replace(RECORD, requests_per_minute=0, max_in_flight=2, trusted=True)

    @pytest.mark.parametrize(
        ("text", "complaint"),
        [
            ("[[keys", "not TOML"),
            ("keys = 3", "holds [[keys]] tables"),
            ("keys = [1]", "holds [[keys]] tables"),
            ("[other]\n" + FILE, "holds [[keys]] tables"),
            ("[[keys]]\n", "key 1 of the keys file lacks id, sha256, tenant"),
            (FILE + "[[keys]]\n", "key 2 of the keys file lacks"),
            (FILE + "rate = 3\n", "may have only"),
            (FILE + 'max_in_flight = "3"\n', "max_in_flight must be of type int"),
            (FILE + "max_in_flight = true\n", "max_in_flight must be of type int"),
            (FILE + "max_in_flight = -1\n", "0 (no limit) or more"),
            (FILE.replace('"odoo"', '"od oo"'), "letters, digits"),
            (FILE.replace('"odoo"', '""'), "letters, digits"),
            (FILE.replace(hash_key(SECRET), "abc"), "the hash of the key, not the key"),
            (FILE + FILE, "two keys share one id"),
            (FILE + FILE.replace("0123abcd", "4567abcd"), "two keys share one sha256"),
        ],
    )
    def test_a_wrong_file_says_what_is_wrong(self, text: str, complaint: str) -> None:
        """The message names the place and the remedy, so that a service that will not start can be helped."""
        with pytest.raises(ValueError, match=re.escape(complaint)):
            parse_keys(text)


class TestSecrecy:
    def test_a_key_put_in_place_of_its_hash_is_not_shown(self) -> None:
        """The most likely mistake must not put the key into a log."""
        with pytest.raises(ValueError, match="sha256") as raised:
            parse_keys(FILE.replace(hash_key(SECRET), SECRET))
        assert SECRET not in repr(raised.value)
        assert raised.value.__cause__ is None

    @pytest.mark.parametrize("broken", [f"[[keys]]\nsha256 = {SECRET}", f'{SECRET} = "x', f"{SECRET}"])
    def test_a_key_in_broken_toml_is_not_shown(self, broken: str) -> None:
        """Nor when it stands where TOML does not allow it."""
        with pytest.raises(ValueError, match="not TOML") as raised:
            parse_keys(broken)
        assert SECRET not in repr(raised.value)

    def test_records_and_rings_show_no_hash(self) -> None:
        """A repr in a log tells whose key it is and nothing that helps to guess it."""
        shown = repr(RECORD) + repr(KeyRing([RECORD]))
        assert RECORD.sha256 not in shown
        assert "odoo" in shown


class TestNewKeys:
    def test_a_key_has_the_agreed_shape(self) -> None:
        """`pk_`, eight characters that name it, and 256 random bits."""
        assert re.fullmatch(r"pk_[0-9a-f]{8}_[A-Za-z0-9_-]{43}", new_key())

    def test_no_two_keys_are_the_same(self) -> None:
        """Neither whole nor in their secrets."""
        keys = [new_key() for _ in range(1000)]
        assert len({key.split("_", 2)[2] for key in keys}) == 1000

    def test_the_snippet_makes_the_key_known(self) -> None:
        """What `pecia keys new` prints can be appended to a keys file as it is, again and again."""
        first, first_snippet = create_key("odoo")
        second, second_snippet = create_key("archive")
        ring = parse_keys(first_snippet + second_snippet)
        found = ring.find(first), ring.find(second)
        assert [record.tenant for record in found if record] == ["odoo", "archive"]
        assert first.split("_")[1] == found[0].id if found[0] else False
        assert first not in first_snippet

    @pytest.mark.parametrize("tenant", ["", "a b", 'a"', "a\nb", "x" * 65, "é"])
    def test_a_tenant_is_a_plain_name(self, tenant: str) -> None:
        """It goes into metadata and labels, and must not break the TOML."""
        with pytest.raises(ValueError, match="tenant"):
            create_key(tenant)
