"""scripts/verify.sh and health_check.sh on what really runs, and on what is wrong in one thing.

The page and the API are our own services; kubectl is a stand-in, the load balancer is moto's, asked by the
real aws, and the name of the load balancer leads to this machine.
"""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from moto.server import ThreadedMotoServer
from pecia_standalone import leash
from PIL import Image, ImageDraw, ImageFont

from tests.amazon import Balancer

ROOT = Path(__file__).parents[1]
STAND_IN = ROOT / "tests/stand_ins/program"
PICTURE = ROOT / "examples/sample-receipt.png"
_START_S = 90.0


@contextmanager
def serving(module: str, log: Path, health: str, **settings: str) -> Iterator[None]:
    """One of our services as a process, until it is healthy and then until the end."""
    with log.open("ab") as sink:
        process = subprocess.Popen(leash.command(module), env=os.environ | settings, stdout=sink, stderr=sink)
    try:
        end = time.monotonic() + _START_S
        while not _answers(health):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, f"{module} did not start"
            time.sleep(0.2)
        yield
    finally:
        process.terminate()
        process.wait(timeout=60)


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


@pytest.fixture(scope="module")
def page(stack: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page on the real services."""
    port = free_port()
    settings = {"API_BASE": stack.url, "PECIA_UI__HOST": "127.0.0.1", "PECIA_UI__PORT": str(port)}
    url = f"http://127.0.0.1:{port}"
    with serving("pecia_ui", tmp_path_factory.mktemp("page") / "log", f"{url}/_stcore/health", **settings):
        yield url


@pytest.fixture(scope="module")
def words(stack: Any) -> str:
    """What the scripted engine says about the picture: it reads in no time."""
    form = {"model": "scripted"}
    answer = httpx.post(f"{stack.url}/v1/ocr", files={"file": PICTURE.read_bytes()}, data=form, timeout=60)
    return str(answer.json()["lines"][0]["text"])


class Verified:
    """What a script printed, and how it ended."""

    def __init__(self, script: str, *arguments: str, **environment: str) -> None:
        command = [str(ROOT / "scripts" / script), *arguments]
        done = subprocess.run(
            command, env=os.environ | environment, capture_output=True, text=True, timeout=280, check=False
        )
        self.status, self.said = done.returncode, done.stdout + done.stderr

    def results(self, part: str = "") -> dict[str, str]:
        """Check -> result, of one part or of all."""
        rows = re.findall(r"^(\S+) +(.+?) {2,}(ok|FAILED|not checked) ", self.said, re.MULTILINE)
        return {what: result for where, what, result in rows if not part or where == part}

    @property
    def failed(self) -> list[str]:
        """Checks that failed."""
        return [what for what, result in self.results().items() if result == "FAILED"]


@pytest.mark.browser
def test_all_is_well(stack: Any, page: str, words: str) -> None:
    """Everything that is promised is checked, in a browser, too, and the script ends with 0."""
    flags = ("--model", "scripted", "--expect", words, "--browser")
    done = Verified("verify.sh", "--url", stack.url, "--page", page, *flags)
    assert done.status == 0, done.said
    assert set(done.results().values()) == {"ok"}
    api, ui = done.results("API"), done.results("page")
    for size in ("tiny", "small", "base", "large", "gundam"):
        assert f"size {size}" in api
        assert any(f"size {size.title()}" in what for what in ui)
    for task in ("Free OCR", "Convert to Markdown", "Parse Figure", "Locate Object"):
        assert f"browser: task {task}" in ui
    assert "a picture is read, in OpenAI's shape" in api
    assert "it is streamed to its end" in api
    assert re.search(r"^\d+ ok, 0 failed, 0 not checked$", done.said, re.MULTILINE)


@pytest.mark.engine
def test_a_picture_is_read_by_a_real_engine(stack: Any, tmp_path: Path) -> None:
    """Its words have to come back; what was not looked at is said."""
    sheet = Image.new("RGB", (320, 80), "white")
    ImageDraw.Draw(sheet).text((30, 20), "TOTAL 77.145", "black", ImageFont.load_default(36))
    sheet.save(tmp_path / "total.png")
    done = Verified("verify.sh", "--url", stack.url, "--image", str(tmp_path / "total.png"))
    assert done.status == 0, done.said
    assert done.results()["the page"] == "not checked"
    assert "task parse_figure: refused, no engine here reads figures" in done.results()


def test_other_words_than_expected_fail_one_check(stack: Any) -> None:
    """The reading is fine in shape, and it is told that the text is another."""
    done = Verified("verify.sh", "--url", stack.url, "--model", "scripted", "--expect", "it's nowhere")
    assert done.status == 1
    assert done.failed == ["the text is what is on the picture"]


def test_nobody_there_is_told_at_once() -> None:
    """Each check says that nobody answers; nothing is read."""
    url = f"http://127.0.0.1:{free_port()}"
    done = Verified("verify.sh", "--url", url, "--page", url)
    assert done.status == 1
    assert "GET /live: the gateway is there" in done.failed
    assert "GET /_stcore/health: ok" in done.failed
    assert "connect" in done.said.lower()
    assert "docs/troubleshoot.md" in done.said
    assert "size tiny" not in done.results()


def test_ports_that_lead_to_the_wrong_service_are_noticed(stack: Any, page: str) -> None:
    """The page's port leads to the API, and the API's to the page."""
    done = Verified("verify.sh", "--url", page, "--page", stack.url)
    assert done.status == 1
    assert {"GET /models: a list of models", "GET /: a page of Streamlit"} <= set(done.failed)


@pytest.fixture
def locked(stack: Any, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """A gateway that asks for keys, on the same ocr service: its address and a key."""
    command = [sys.executable, "-m", "pecia_client", "keys", "new", "--tenant", "tests"]
    made = subprocess.run(command, capture_output=True, text=True, check=True)
    key = re.findall(r"\bpk_[\w-]{20,}", made.stdout + made.stderr)[0]
    keys = tmp_path / "keys.toml"
    keys.write_text(made.stdout[made.stdout.index("[[") :])
    port = free_port()
    settings = {
        "PECIA_HTTP__HOST": "127.0.0.1",
        "PECIA_HTTP__PORT": str(port),
        "PECIA_OCR__TARGET": stack.target,
        "PECIA_AUTH__KEYS_FILE": str(keys),
    }
    url = f"http://127.0.0.1:{port}"
    with serving("pecia_gateway", tmp_path / "log", f"{url}/ready", **settings):
        yield url, key


def test_keys_are_asked_for(locked: tuple[str, str], words: str) -> None:
    """With a key all is well, and that nobody comes in without one is checked; the key is never shown."""
    url, key = locked
    done = Verified("verify.sh", "--url", url, "--model", "scripted", "--expect", words, PECIA_API_KEY=key)
    assert done.status == 0, done.said
    assert done.results()["without a key nobody comes in"] == "ok"
    assert key not in done.said
    assert "HTTP 401 instead of 200" in Verified("verify.sh", "--url", url).said


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder for the stand-ins' state; kubectl, aws and getent are on PATH in its `bin`."""
    (tmp_path / "bin").mkdir()
    for tool in ("kubectl", "aws", "getent"):
        (tmp_path / "bin" / tool).symlink_to(STAND_IN)
    return tmp_path


def with_tools(tools: Path, **more: str) -> dict[str, str]:
    """The environment in which they are found."""
    bin_of_python = Path(sys.executable).parent
    return {"STAND_INS": str(tools), "PATH": f"{tools / 'bin'}:{bin_of_python}:{os.environ['PATH']}"} | more


def test_through_a_port_forward(stack: Any, page: str, words: str, tools: Path) -> None:
    """Both Services are reached through kubectl; one that is not there is named."""
    (tools / "service_pecia-gateway").write_text(stack.url.rpartition(":")[2])
    (tools / "service_pecia-ui").write_text(page.rpartition(":")[2])
    flags = ("--port-forward", "--model", "scripted", "--expect", words)
    done = Verified("verify.sh", *flags, **with_tools(tools))
    assert done.status == 0, done.said
    assert "--namespace pecia port-forward" in (tools / "calls").read_text()
    (tools / "service_pecia-ui").unlink()
    done = Verified("verify.sh", *flags, **with_tools(tools))
    assert done.failed == ["port-forward to pecia-ui"]
    assert 'services "pecia-ui" not found' in done.said


@pytest.fixture
def amazon() -> Iterator[str]:
    """Load balancers as moto plays them; gives its address."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def behind(stack: Any, page: str, tools: Path) -> dict[str, str]:
    """What leads verify.sh to a load balancer whose name means this machine, and to its two ports."""
    (tools / "addresses").write_text("127.0.0.1\n")
    (tools / "ssm-describe-instance-information").write_text("i-0123456789abcdef0\n")
    ports = {"API_PORT": stack.url.rpartition(":")[2], "PAGE_PORT": page.rpartition(":")[2]}
    return with_tools(tools, **ports)


def test_through_the_load_balancer(behind: dict[str, str], words: str, tools: Path, amazon: str) -> None:
    """One name, listeners, targets, routing and sessions are looked at, and are well."""
    balancer = Balancer(amazon, int(behind["API_PORT"]), int(behind["PAGE_PORT"]))
    balancer.register(balancer.api, "10.0.0.10", "10.0.1.10")
    balancer.register(balancer.page, "10.0.0.20")
    (tools / "ingress").write_text(f"{balancer.name}\n{balancer.name}\n")
    (tools / "real-aws").write_text(str(Path(sys.executable).parent / "aws"))
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_ENDPOINT_URL": amazon}
    done = Verified("verify.sh", "--alb", "--model", "scripted", "--expect", words, **behind, **keys)
    assert done.status == 0, done.said
    found = done.results("ALB")
    assert "targets of api: 2 healthy" in found
    assert "targets of page: 1 healthy" in found
    assert f"it listens on {behind['API_PORT']} and {behind['PAGE_PORT']}" in found
    assert f"127.0.0.1:{behind['PAGE_PORT']} leads to the page" in found
    assert "nodes can be reached by Session Manager" in found
    assert len(found) == 12


def test_listeners_that_answer_to_their_names_alone(stack: Any, page: str, words: str, tools: Path) -> None:
    """With names and a certificate each address is asked for the URLs that were given."""
    (tools / "addresses").write_text("127.0.0.1\n")
    (tools / "ingress").write_text("balancer.test\n")
    answers = {
        "elbv2-describe-load-balancers": "arn:of:the:balancer",
        "elbv2-describe-listeners": "443\t8000\t8501",
        "elbv2-describe-target-groups": "arn:tg/api/1\tarn:tg/page/2",
        "elbv2-describe-target-health": "10.0.0.10\thealthy\tNone",
        "ssm-describe-instance-information": "i-0123456789abcdef0",
    }
    for command, answer in answers.items():
        (tools / command).write_text(f"{answer}\n")
    ports = [url.rpartition(":")[2] for url in (stack.url, page)]
    urls = ("--url", f"http://localhost:{ports[0]}", "--page", f"http://localhost:{ports[1]}")
    flags = ("--alb", *urls, "--model", "scripted", "--expect", words)
    done = Verified("verify.sh", *flags, **with_tools(tools))
    assert done.status == 0, done.said
    assert {f"127.0.0.1:{port}" for port in ports} <= {what.split()[0] for what in done.results("ALB")}


def test_a_load_balancer_that_is_not_well(behind: dict[str, str], words: str, tools: Path) -> None:
    """A listener too few, targets that are not healthy, and an address where nobody answers are told."""
    (tools / "ingress").write_text("balancer.test\n")
    (tools / "addresses").write_text("127.0.0.1\n127.0.0.2\n")
    answers = {
        "describe-load-balancers": "arn:of:the:balancer",
        "describe-listeners": behind["API_PORT"],
        "describe-target-groups": "arn:tg/api/1\tarn:tg/page/2",
        "describe-target-health": "10.0.0.10\tunhealthy\tHealth checks failed with these codes: [503]",
    }
    for command, answer in answers.items():
        (tools / f"elbv2-{command}").write_text(f"{answer}\n")
    done = Verified("verify.sh", "--alb", "--model", "scripted", "--expect", words, **behind)
    assert done.status == 1
    assert set(done.failed) == {
        f"it listens on {behind['API_PORT']} and {behind['PAGE_PORT']}",
        "targets of api",
        "targets of page",
        f"127.0.0.2:{behind['API_PORT']} leads to the API",
        f"127.0.0.2:{behind['PAGE_PORT']} leads to the page",
    }
    assert "Health checks failed with these codes: [503]" in done.said


def test_ingresses_without_a_name_are_told(tools: Path) -> None:
    """Nothing else is tried; the controller's log is pointed to."""
    (tools / "ingress").write_text("\n")
    done = Verified("verify.sh", "--alb", **with_tools(tools))
    assert done.failed == ["the Ingresses share one name"]
    assert "logs deployment/aws-load-balancer-controller" in done.said


def test_a_report_in_seconds(stack: Any, page: str) -> None:
    """health_check.sh says what is loaded and waiting; a page that is gone, or no model, fails."""
    done = Verified("health_check.sh", "--url", stack.url, "--page", page)
    assert done.status == 0, done.said
    assert re.search(r"engine +rapid: ready", done.said)
    assert re.search(r"queued_jobs +0", done.said)
    nobody = f"http://127.0.0.1:{free_port()}"
    done = Verified("health_check.sh", "--url", stack.url, "--page", nobody, "--timeout", "5")
    assert (done.status, done.failed) == (1, ["the page answers"])
    done = Verified("health_check.sh", "--url", nobody, "--page", "none")
    assert done.status == 1
    assert "a model is loaded" in done.failed
    assert done.results()["the page answers"] == "not checked"


def test_a_gateway_without_its_ocr_service_is_not_well(tmp_path: Path) -> None:
    """It answers and says that no model is loaded; no picture is sent."""
    port = free_port()
    settings = {"PECIA_HTTP__HOST": "127.0.0.1", "PECIA_HTTP__PORT": str(port)}
    settings["PECIA_OCR__TARGET"] = f"127.0.0.1:{free_port()}"
    url = f"http://127.0.0.1:{port}"
    with serving("pecia_gateway", tmp_path / "log", f"{url}/live", **settings):
        done = Verified("verify.sh", "--url", url)
        assert done.status == 1
        assert {"GET /ready: an engine can answer", "GET /health: healthy, a model loaded"} <= set(
            done.failed
        )
        assert done.results()["GET /live: the gateway is there"] == "ok"
