"""What is released: bills of materials, known weaknesses, licences."""

import json
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
IMAGES = set(tomllib.loads((ROOT / "services/images.toml").read_text()))
WEAK = {"id": "GHSA-test-0001", "summary": "The parser runs what it parses.", "affected": []}


def ran(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One of the commands."""
    command = [sys.executable, f"scripts/{script}.py", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=280)


@pytest.fixture(scope="module")
def bills(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """All bills of materials; writing them validates them against the standard's schema."""
    folder = tmp_path_factory.mktemp("sbom")
    done = ran("sbom", str(folder))
    assert done.returncode == 0, done.stderr
    return {path.name.removesuffix(".cdx.json"): json.loads(path.read_text()) for path in folder.iterdir()}


def test_every_image_has_a_bill_of_all_it_installs(bills: dict[str, Any]) -> None:
    """Each package of its lock with version, hash and licence; its base; and the models of the ocr images."""
    assert bills.keys() >= IMAGES
    for name in IMAGES:
        bill = bills[name]
        packages = {one["name"]: one for one in bill["components"] if one.get("purl")}
        locked = (ROOT / f"requirements/images/{name}.txt").read_text().splitlines()
        pins = {line.split("==")[0] for line in locked if line[:1].isalnum() and "==" in line}
        assert packages.keys() == pins
        assert all(one["hashes"][0]["alg"] == "SHA-256" for one in packages.values())
        assert bill["metadata"]["component"]["name"] == f"pecia/{name}"
        assert any(one["type"] == "container" and "python" in one["name"] for one in bill["components"])
        assert packages["pydantic"]["licenses"][0]["license"]["name"] == "MIT"
    models = [one for one in bills["ocr"]["components"] if one["type"] == "machine-learning-model"]
    assert {one["name"] for one in models} == {"PP-OCRv6_det_small.onnx", "PP-OCRv6_rec_small.onnx"}
    assert not [one for one in bills["ui"]["components"] if one["name"] in {"torch", "grpcio"}]


def test_the_charts_bill_names_its_images(bills: dict[str, Any]) -> None:
    """At the version that the chart runs."""
    named = {one["name"]: one["version"] for one in bills["chart"]["components"]}
    assert {"pecia/gateway", "pecia/ui", "pecia/worker", "pecia/operator", "pecia/ocr"} <= named.keys()
    chart = (ROOT / "helm/pecia/Chart.yaml").read_text()
    assert all(f"appVersion: {version}" in chart.replace('"', "") for version in named.values())


def test_a_package_without_a_hash_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Anybody could send another under its name."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    pinned = import_module("pinned")

    (tmp_path / "some.txt").write_text("good==1 \\\n    --hash=sha256:" + "0" * 64 + "\nbad==1\n")
    with pytest.raises(ValueError, match="no hash for bad"):
        pinned.read(tmp_path / "some.txt")


def test_no_licence_binds_callers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of all that the images install; what would is named, and so is an explanation of nothing."""
    assert ran("licences").returncode == 0
    (tmp_path / "licences.toml").write_text('nowhere = "Apache-2.0"\n')
    done = ran("licences", str(tmp_path / "licences.toml"))
    assert done.returncode == 1
    assert "says nothing of its licence, or is not here: list it with a reason" in done.stderr
    assert "nowhere is explained, but is in no image" in done.stderr

    said = {
        "bad": "License-Expression: AGPL-3.0-or-later",
        "old": "License: GPL v3",
        "fine": "License: LGPLv3",
    }
    for name, line in said.items():
        (tmp_path / f"{name}-1.dist-info").mkdir()
        text = f"Metadata-Version: 2.4\nName: {name}\nVersion: 1\n{line}\n"
        (tmp_path / f"{name}-1.dist-info/METADATA").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    licences = import_module("licences")

    wrong = licences.complaints(["bad", "fine", "old"], {})
    assert [one.split()[0] for one in wrong] == ["bad", "old"]


@pytest.fixture
def advisories() -> Iterator[str]:
    """OSV's query interface on this machine: it knows one weakness, of certifi."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            found = {"vulns": [WEAK]} if asked["package"]["name"] == "certifi" else {}
            body = json.dumps(found).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1/query"
    server.shutdown()
    thread.join()
    server.server_close()


def allowance(
    path: Path, until: date, reason: str = "It is not called.", name: str = "GHSA-test-0001"
) -> str:
    """A list that explains one weakness."""
    path.write_text(
        f'[[allowed]]\nid = "{name}"\npackage = "certifi"\nreason = "{reason}"\nuntil = {until.isoformat()}\n'
    )
    return str(path)


def test_a_known_weakness_is_found_unless_it_is_explained(advisories: str, tmp_path: Path) -> None:
    """By the real pip-audit, of every image at once; an explanation has a reason and ends on its day."""
    done = ran("audit", f"--osv={advisories}")
    assert done.returncode == 1
    assert "certifi" in done.stderr
    assert "GHSA-test-0001" in done.stderr
    tomorrow = date.today() + timedelta(days=1)  # noqa: DTZ011 - as the command has it
    done = ran("audit", f"--osv={advisories}", "--allowed", allowance(tmp_path / "audit.toml", tomorrow))
    assert (done.returncode, "no weakness that reaches us" in done.stdout) == (0, True), done.stderr


def test_what_could_not_be_looked_up_never_passes() -> None:
    """Though pip-audit itself would say that there are no known vulnerabilities."""
    done = ran("audit", "--osv=http://127.0.0.1:9/v1/query")
    assert done.returncode == 2
    assert "NOT AUDITED" in done.stderr


REPORT = {
    "dependencies": [
        {
            "name": "certifi",
            "version": "1",
            "vulns": [{"id": "X-1", "aliases": ["CVE-1"], "fix_versions": ["2"]}],
        },
        {"name": "idna", "version": "1", "vulns": []},
    ]
}


@pytest.mark.parametrize(
    ("days", "reason", "name", "status", "said"),
    [
        (1, "It is not called.", "X-1", 0, ""),
        (1, "It is not called.", "CVE-1", 0, ""),
        (-1, "It is not called.", "X-1", 1, "its day has come"),
        (1, " ", "X-1", 1, "no reason is given"),
        (1, "It is not called.", "X-2", 1, "is not found any more"),
    ],
)
def test_a_list_of_what_is_allowed_stays_true(
    tmp_path: Path, days: int, reason: str, name: str, status: int, said: str
) -> None:
    """Judged on a report from elsewhere: a reason, a day, and only what is really found."""
    (tmp_path / "report.json").write_text(json.dumps(REPORT))
    until = date.today() + timedelta(days=days)  # noqa: DTZ011 - as the command has it
    listed = allowance(tmp_path / "audit.toml", until, reason, name)
    done = ran("audit", "--report", str(tmp_path / "report.json"), "--allowed", listed)
    assert (done.returncode, said in done.stderr) == (status, True), done.stderr


def test_a_report_with_gaps_never_passes(tmp_path: Path) -> None:
    """Packages that were skipped are unknown, not fine."""
    skipped = {"dependencies": [{"name": "idna", "skip_reason": "Dependency not found on PyPI"}]}
    (tmp_path / "report.json").write_text(json.dumps(skipped))
    done = ran("audit", "--report", str(tmp_path / "report.json"))
    assert (done.returncode, "NOT AUDITED, nothing is known of them: idna" in done.stderr) == (2, True)


def test_the_list_of_the_house_is_in_order() -> None:
    """Each of its entries has what it needs."""
    for one in tomllib.loads((ROOT / "requirements/audit.toml").read_text()).get("allowed", []):
        assert one.keys() == {"id", "package", "reason", "until"}
