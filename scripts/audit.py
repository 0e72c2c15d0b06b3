"""Fails on a known weakness in what the images install: python scripts/audit.py [--osv URL] [--report FILE].

pip-audit asks the advisories. Where they cannot be asked, that is said, and the status is 2: it ends with
"no known vulnerabilities" and status 0 even where it could look nothing up. A report that `pip-audit -f json`
wrote on another machine is judged with --report. Weaknesses that do not reach us stand in
requirements/audit.toml, each with its reason and the day on which it has to be looked at again.
"""

import argparse
import json
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from pinned import REQUIREMENTS

_FINE, _WEAK, _UNKNOWN = 0, 1, 2


@dataclass(frozen=True)
class Judgement:
    """What a report comes to: weaknesses, packages nobody could look up, and what is wrong with the list."""

    weak: list[str]
    unknown: list[str]
    stale: list[str]

    @property
    def status(self) -> int:
        """What to end with."""
        if self.weak or (self.stale and not self.unknown):
            return _WEAK
        return _UNKNOWN if self.unknown else _FINE


def judge(report: dict[str, Any], allowed: list[dict[str, Any]], today: date) -> Judgement:
    """Compare what was found with what is allowed."""
    good = {(one["package"], one["id"]) for one in allowed if one["until"] >= today and one["reason"].strip()}
    weak, used = [], set()
    for package in report["dependencies"]:
        for found in package.get("vulns", ()):
            names = {(package["name"], name) for name in (found["id"], *found.get("aliases", ()))}
            used |= names & good
            if not names & good:
                fixed = ", ".join(found.get("fix_versions", ())) or "no version"
                weak.append(f"{package['name']} {package['version']}: {found['id']}, mended in {fixed}")
    unknown = [package["name"] for package in report["dependencies"] if "skip_reason" in package]
    stale = [
        f"{one['id']} of {one['package']}: {_stale(one, today)}"
        for one in allowed
        if (one["package"], one["id"]) not in used
    ]
    return Judgement(weak, unknown, stale)


def _stale(one: dict[str, Any], today: date) -> str:
    if not one["reason"].strip():
        return "no reason is given"
    return "its day has come: look again" if one["until"] < today else "is not found any more: remove it"


def asked(osv: str) -> dict[str, Any]:
    """What pip-audit finds in every requirement file of an image."""
    files = sorted((REQUIREMENTS / "images").glob("*.txt"))
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes", "-s", "osv"]
    command += ["-f", "json", "--progress-spinner", "off", *(["--osv-url", osv] if osv else [])]
    for file in files:
        command += ["-r", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    try:
        found: dict[str, Any] = json.loads(done.stdout)
        return {"dependencies": found["dependencies"]}
    except (ValueError, KeyError):
        reason = (done.stderr.strip().splitlines() or ["no reason was given"])[-1]
        print(f"The advisories could not be asked: {reason}", file=sys.stderr)  # noqa: T201 - a command
        return {"dependencies": [{"name": file.name, "skip_reason": reason} for file in files]}


def main() -> None:
    """Ask, judge, say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--osv", default="", help="address of OSV's query interface, where it is a mirror's")
    parser.add_argument("--report", type=Path, help="a report of pip-audit -f json, instead of asking")
    parser.add_argument("--allowed", type=Path, default=REQUIREMENTS / "audit.toml")
    options = parser.parse_args()
    allowed = tomllib.loads(options.allowed.read_text(encoding="utf-8")).get("allowed", [])
    report = json.loads(options.report.read_text("utf-8")) if options.report else asked(options.osv)
    found = judge(report, allowed, date.today())  # noqa: DTZ011 - a day is as good as an hour here
    for line in (*found.weak, *found.stale):
        print(line, file=sys.stderr)  # noqa: T201 - a command
    if found.unknown:
        print(f"NOT AUDITED, nothing is known of them: {', '.join(found.unknown)}", file=sys.stderr)  # noqa: T201
    if found.status == _FINE:
        print(f"{len(report['dependencies'])} packages, no weakness that reaches us.")  # noqa: T201 - a command
    sys.exit(found.status)


if __name__ == "__main__":
    main()
