"""The pages about clusters tell the truth: scripts, flags, lists, and figures that were measured."""

import json
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "docs" / f"{name}.md"
    for name in ("DEPLOYMENT", "operate", "troubleshoot", "cost", "scale", "verified")
]
CALL = re.compile(r"((?:eks|scripts)/[a-z_-]+\.sh)([^`\n|;&#]*)")
RESULTS = (ROOT / "benchmarks/results/scale.md").read_text()


@cache
def help_of(script: str) -> str:
    """What `--help` says."""
    command = [str(ROOT / script), "--help"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def calls() -> list[tuple[str, str, str]]:
    """Page, script and its arguments, wherever a page shows one."""
    return [(page.name, *match) for page in PAGES for match in CALL.findall(page.read_text())]


def test_pages_show_scripts() -> None:
    """There is something to look at: every script is shown."""
    shown = {script for _, script, _ in calls()}
    assert shown == {
        "eks/up.sh",
        "eks/down.sh",
        "scripts/deploy.sh",
        "scripts/ecr-setup.sh",
        "scripts/health_check.sh",
        "scripts/verify.sh",
    }


@pytest.mark.parametrize(("page", "script", "arguments"), calls())
def test_every_flag_exists(page: str, script: str, arguments: str) -> None:
    """And every command of deploy.sh."""
    flags = set(re.findall(r"--[a-z-]+", arguments))
    assert flags - {"--help"} <= set(re.findall(r"--[a-z-]+", help_of(script))), page
    if script.endswith("deploy.sh") and (words := re.findall(r"^ ([a-z]+)", arguments)):
        assert words[0] in {"build", "push", "template", "upgrade", "all"}, page


def test_the_policies_named_are_those_that_are_there() -> None:
    """Each has a row that says who needs it, and none is left out."""
    page = (ROOT / "docs/DEPLOYMENT.md").read_text()
    policies = sorted(path.name for path in (ROOT / "eks/iam").glob("*.json"))
    assert policies == sorted(set(re.findall(r"\.\./eks/iam/([a-z]+\.json)", page)))


def test_deployment_says_times_and_how_to_get_the_name() -> None:
    """A time a step, marked as estimates, and the command that prints the load balancer's name."""
    page = (ROOT / "docs/DEPLOYMENT.md").read_text()
    steps = re.findall(r"^## (\d)\. ", page, re.MULTILINE)
    rows = re.findall(r"^\| (\d) \| .* \| (.+) \|$", page, re.MULTILINE)
    assert [number for number, _ in rows] == steps == [str(number) for number in range(1, 9)]
    assert "**estimates**" in page
    assert "kubectl -n pecia get ingress" in page
    assert len(re.findall(r"^- \[ \] ", page, re.MULTILINE)) >= 10


def test_what_is_verified_is_not_more_than_was_run() -> None:
    """The page begins with what has not been run."""
    page = (ROOT / "docs/verified.md").read_text()
    assert page.index("On real AWS: nothing yet") < page.index("What those commands answer".lower())


@pytest.mark.parametrize(
    "words",
    [
        "Insufficient nvidia.com/gpu",
        "ImagePullBackOff",
        "SecretSyncedError",
        "targets unhealthy",
        "a job does not start",
        "storage full",
        "a download is 409",
    ],
)
def test_trouble_that_was_asked_for_has_an_answer(words: str) -> None:
    """What the former systems' documents listed stands in the list, with something to do."""
    page = (ROOT / "docs/troubleshoot.md").read_text()
    row = next(line for line in page.splitlines() if line.startswith("|") and words in line)
    assert len(row.split("|")[-2].strip()) > 20


@pytest.mark.parametrize(
    "words", ["nvidia-smi -l 1", "free -h", "top pods", "logs deployment/", "aws logs tail"]
)
def test_watching_is_a_command(words: str) -> None:
    """GPU, memory and logs are watched by commands that stand there to be copied."""
    assert words in (ROOT / "docs/operate.md").read_text()


def test_the_group_of_logs_is_the_clusters() -> None:
    """Container Insights names groups for the cluster; the cluster's own log is switched on."""
    page = (ROOT / "docs/operate.md").read_text()
    assert {"/aws/containerinsights/pecia/application", "/aws/eks/pecia/cluster"} <= set(
        re.findall(r"/aws/[a-z]+/pecia/[a-z]+", page)
    )


def test_scale_quotes_what_was_measured() -> None:
    """Every number in bold on the page about scale stands in the results it was taken from."""
    page = (ROOT / "docs/scale.md").read_text()
    quoted = re.findall(r"\*\*([\d.,]+)\*\*", page)
    assert len(quoted) >= 10
    assert [number for number in quoted if number not in RESULTS] == []


def test_prices_are_the_models() -> None:
    """A GPU node costs the same on the page about cost and in the model."""
    price = re.findall(r"\| \$ g6\.xlarge \| ([\d.]+) ", RESULTS)[0]
    assert f"| g6.xlarge | L4, 24 GB | {price} |" in (ROOT / "docs/cost.md").read_text()


def test_policies_are_json() -> None:
    """They can be given to aws as they are: at most 6,144 characters, white space left out."""
    for path in (ROOT / "eks/iam").glob("*.json"):
        assert len(json.dumps(json.loads(path.read_text()), separators=(",", ":"))) <= 6144, path.name
