"""Runs fuzzers for longer than `make test` does: make fuzz ONLY=multipart,jobs CASES=20000 SEED=7.

Each is a property that hypothesis tries to break. The seed is said first: the same one tries the same again.
"""

import argparse
import random
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FUZZERS = {
    "multipart": ["services/gateway/tests/test_intake_fuzz.py", "-k", "body or content_type"],
    "data-url": ["services/gateway/tests/test_intake_fuzz.py", "-k", "data_url or base64"],
    "grammar": ["services/ocr/tests/test_deepseek_grammar_fuzz.py"],
    "markup": ["services/ui/tests/test_markup.py", "libs/core/tests/test_inert.py", "-k", "pieced"],
    "jobs": ["libs/jobs/tests/test_jobs_machine.py", "tests/test_fuzz.py"],
    "job-api": ["services/gateway/tests/test_jobs_api_machine.py"],
}


class Profile:
    """What hypothesis is told, before its own plugin looks."""

    def __init__(self, cases: int) -> None:
        """So many of each property."""
        self._cases = cases

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self) -> None:
        """Make the profile that is named on the command line."""
        from hypothesis import HealthCheck, settings  # noqa: PLC0415 - pytest has to see it imported

        told = {"deadline": None, "print_blob": True, "suppress_health_check": list(HealthCheck)}
        settings.register_profile("fuzz", max_examples=self._cases, **told)


def main() -> None:
    """Run those that were named, or all; the status is that of the worst."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=",".join(FUZZERS), help=f"of {', '.join(FUZZERS)}")
    parser.add_argument("--cases", type=int, default=20_000, help="each property is tried with")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    options = parser.parse_args()
    chosen = options.only.split(",")
    if unknown := set(chosen) - FUZZERS.keys():
        sys.exit(f"There is no fuzzer {', '.join(unknown)}: there are {', '.join(FUZZERS)}.")
    worst = 0
    for name in chosen:
        print(f"{name}: seed {options.seed}, {options.cases} cases a property", flush=True)  # noqa: T201
        seeded = [f"--hypothesis-seed={options.seed}", "--hypothesis-profile=fuzz", "-q", "--timeout=0"]
        paths = [str(ROOT / one) if one.endswith(".py") else one for one in FUZZERS[name]]
        worst = max(worst, int(pytest.main([*seeded, *paths], plugins=[Profile(options.cases)])))
    sys.exit(worst)


if __name__ == "__main__":
    main()
