"""The scripts that build, push and deploy: their help, what they would do, and what they do when it fails.

aws, eksctl, kubectl, helm and docker are stand-ins (tests/stand_ins) that write down what they were told and
fail as the real ones do; ECR and STS are moto's, asked by the real aws.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
import yaml
from moto.server import ThreadedMotoServer

ROOT = Path(__file__).parents[1]
STAND_IN = ROOT / "tests/stand_ins/program"
SCRIPTS = [ROOT / "eks/up.sh", ROOT / "eks/down.sh"] + [
    ROOT / f"scripts/{name}.sh" for name in ("build", "ecr-setup", "deploy", "verify", "health_check")
]
SHELL = [*SCRIPTS, STAND_IN, *(ROOT / f"scripts/{name}.sh" for name in ("steps", "images", "checks"))]
BIN = Path(sys.executable).parent


class Tools:
    """A PATH on which the tools are stand-ins, and what they have been told."""

    def __init__(self, folder: Path, *tools: str, **environment: str) -> None:
        self.folder = folder / "state"
        self.folder.mkdir()
        path = folder / "bin"
        path.mkdir()
        for tool in tools:
            (path / tool).symlink_to(STAND_IN)
        self.environment = os.environ | environment
        self.environment |= {"STAND_INS": str(self.folder), "PATH": f"{path}:{BIN}:{os.environ['PATH']}"}

    def run(self, script: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run one of our scripts to its end."""
        command = [str(ROOT / script), *arguments]
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=120, check=False
        )

    def alone(self, *programs: str) -> None:
        """Nothing else is on PATH but these programs of the system."""
        bare = self.folder / "bare"
        bare.mkdir()
        for program in programs:
            (bare / program).symlink_to(shutil.which(program) or program)
        self.environment["PATH"] = f"{self.folder.parent / 'bin'}:{bare}"

    def calls(self, start: str = "") -> list[str]:
        """Command lines that began with something, in order."""
        file = self.folder / "calls"
        lines = file.read_text().splitlines() if file.exists() else []
        return [line for line in lines if line.startswith(start)]

    def forget(self) -> None:
        """Of what was called, not of what was made."""
        (self.folder / "calls").unlink(missing_ok=True)

    def say(self, file: str, text: str) -> None:
        """What a stand-in answers."""
        (self.folder / file).write_text(text)


@pytest.fixture
def tools(tmp_path: Path) -> Tools:
    """All of them are stand-ins."""
    return Tools(tmp_path, "aws", "eksctl", "kubectl", "helm", "docker")


@pytest.fixture
def cluster_file() -> Iterator[str]:
    """Name of a cluster whose file in build/eks is removed afterwards."""
    name = f"t{os.getpid()}"
    yield name
    for file in (ROOT / "build/eks").glob(f"{name}*.yaml"):
        file.unlink()


def test_shellcheck_finds_nothing() -> None:
    """No script has a fault that shellcheck knows."""
    done = subprocess.run([str(BIN / "shellcheck"), "-x", *map(str, SHELL)], cwd=ROOT, check=False)
    assert done.returncode == 0


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_help_teaches(script: Path) -> None:
    """`--help` names every flag, gives an example, and can be run from anywhere."""
    done = subprocess.run([str(script), "--help"], capture_output=True, text=True, cwd="/", check=True)
    flags = set(re.findall(r"^    (--[a-z-]+)(?: \| --[a-z-]+)?\)", script.read_text(), re.MULTILINE))
    assert flags
    assert flags - {"--print"} <= set(re.findall(r"--[a-z-]+", done.stdout))
    assert f"{script.parent.name}/{script.name} " in done.stdout
    assert os.access(script, os.X_OK)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_wrong_flag_is_told(script: Path) -> None:
    """An unknown flag, and one whose value is missing, end with 2 and point to --help."""
    for arguments in (["--dream"], ["--" + ("timeout" if script.stem == "health_check" else "region")]):
        if script.stem == "build" and arguments == ["--region"]:
            arguments = ["--tag"]  # noqa: PLW2901 - its own flag with a value
        done = subprocess.run([str(script), *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 2, done.stderr
        assert "--help" in done.stderr


@pytest.mark.parametrize(
    ("script", "arguments", "expected"),
    [
        ("eks/up.sh", (), "eksctl create cluster -f build/eks/pecia.yaml"),
        ("eks/down.sh", (), "eksctl delete cluster --name pecia"),
        ("scripts/build.sh", (), "docker build --platform linux/amd64 --file services/ocr/Dockerfile.gpu"),
        (
            "scripts/ecr-setup.sh",
            ("--push",),
            "docker push ACCOUNT.dkr.ecr.us-west-2.amazonaws.com/pecia/ui:",
        ),
        ("scripts/deploy.sh", ("all",), "helm upgrade --install pecia helm/pecia --namespace pecia"),
    ],
)
def test_printing_runs_nothing(
    tmp_path: Path, script: str, arguments: tuple[str, ...], expected: str
) -> None:
    """--print shows the commands and starts none of them, not even to ask."""
    tools = Tools(tmp_path, "aws", "eksctl", "kubectl", "helm", "docker")
    done = tools.run(script, *arguments, "--print")
    assert done.returncode == 0, done.stderr
    assert expected in done.stdout
    assert tools.calls() == []


def test_a_cluster_is_made_and_made_once(tools: Tools, cluster_file: str) -> None:
    """The first run makes buckets, cluster, namespace and charts; the second makes none of them again."""
    done = tools.run("eks/up.sh", "--name", cluster_file)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(tools.calls("aws s3api create-bucket")) == 2
    assert len(tools.calls("eksctl create cluster")) == 1
    assert len(tools.calls("helm upgrade --install")) == 5
    assert any("vpcId=vpc-0123456789abcdef0" in call for call in tools.calls("helm"))
    assert any("pod-security.kubernetes.io/enforce=restricted" in call for call in tools.calls("kubectl"))
    assert tools.calls("kubectl")[-1].endswith(f"apply -f build/eks/{cluster_file}-secret-store.yaml")
    assert "Finished after" in done.stdout

    tools.forget()
    tools.say("associations", "kube-system\tcluster-autoscaler\npecia\tpecia-ocr\n")
    again = tools.run("eks/up.sh", "--name", cluster_file)
    assert again.returncode == 0, again.stdout + again.stderr
    assert not tools.calls("aws s3api create-bucket") + tools.calls("eksctl create cluster")
    assert not [call for call in tools.calls("kubectl") if "create namespace" in call]
    missing = yaml.safe_load((tools.folder / "missing.yaml").read_text())
    made = {one["serviceAccountName"] for one in missing["iam"]["podIdentityAssociations"]}
    assert made == {"aws-load-balancer-controller", "external-secrets", "pecia-gateway", "pecia-worker"}
    assert missing["managedNodeGroups"]


def test_a_file_follows_the_flags(tools: Tools, cluster_file: str) -> None:
    """Region, name, zones, GPU, buckets and who may come go where they belong; the rest stays as it was."""
    words = "--region eu-central-1 --gpu-type g5.2xlarge --gpu-max 9 --system-type m7a.large"
    buckets = ["--weights-bucket", "w", "--jobs-bucket", "j", "--admin-cidr", "203.0.113.0/24"]
    tools.say("zones", "eu-central-1b\teu-central-1a")
    done = tools.run("eks/up.sh", "--name", cluster_file, *words.split(), *buckets)
    assert done.returncode == 0, done.stdout + done.stderr
    written = (ROOT / f"build/eks/{cluster_file}.yaml").read_text()
    cluster = yaml.safe_load(written)
    schema = json.loads((ROOT / "tests/eksctl/schema.json").read_text())
    assert not list(jsonschema.Draft7Validator(schema).iter_errors(cluster))
    assert cluster["metadata"]["region"] == "eu-central-1"
    assert cluster["availabilityZones"] == ["eu-central-1a", "eu-central-1b"]
    assert cluster["vpc"]["publicAccessCIDRs"] == ["203.0.113.0/24"]
    system, gpu = cluster["managedNodeGroups"]
    assert system["instanceTypes"] == ["m7a.large"]
    assert (gpu["name"], gpu["instanceTypes"], gpu["maxSize"]) == ("gpu-a10g", ["g5.2xlarge"], 9)
    assert gpu["labels"]["k8s.amazonaws.com/accelerator"] == "nvidia-a10g"
    assert "arn:aws:s3:::w/*" in written
    assert "arn:aws:s3:::j/*" in written
    assert f"k8s.io/cluster-autoscaler/{cluster_file}" in written
    plain = (ROOT / "eks/cluster.yaml").read_text().splitlines()
    changed = [old for old, new in zip(plain, written.splitlines(), strict=True) if old != new]
    assert all("# <- --" in line for line in changed)
    assert len(changed) == len([line for line in plain if "# <- --" in line])


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("zones", "us-west-2a", "a cluster needs two zones"),
        ("quota", "0.0", "request-service-quota-increase"),
        ("fails", "eksctl create cluster", "eksctl delete cluster"),
        ("fails", "helm upgrade --install keda", "-n keda get pods"),
        ("fails", "aws sts", "aws configure"),
    ],
)
def test_what_goes_wrong_is_told_with_what_to_do(
    tools: Tools, cluster_file: str, file: str, text: str, words: str
) -> None:
    """The step that failed is named, nothing after it is begun, and the way on is said."""
    tools.say(file, text + "\n")
    done = tools.run("eks/up.sh", "--name", cluster_file)
    assert done.returncode != 0
    assert "Stopped after" in done.stderr
    assert words in done.stderr
    assert "Then run the same command again" in done.stderr
    assert not tools.calls("helm upgrade --install external-secrets")


def test_a_missing_tool_is_named(tmp_path: Path) -> None:
    """Where it can be had stands beside it."""
    tools = Tools(tmp_path, "aws")
    tools.alone("bash", "dirname", "basename")
    done = tools.run("eks/up.sh")
    assert done.returncode != 0
    assert "eksctl is not installed: https://eksctl.io/installation" in done.stderr


def test_down_removes_the_load_balancer_first(tools: Tools) -> None:
    """Nothing without --yes; then release, Ingresses, cluster in this order; a second run finds nothing."""
    assert tools.run("eks/down.sh").returncode == 2
    assert tools.calls() == []
    (tools.folder / "cluster").touch()
    done = tools.run("eks/down.sh", "--yes")
    assert done.returncode == 0, done.stderr
    order = [call.split()[0] + " " + call.split()[1] for call in tools.calls()]
    assert order.index("helm uninstall") < order.index("eksctl delete")
    assert not [call for call in tools.calls() if "persistentvolumeclaim" in call]
    again = tools.run("eks/down.sh", "--yes")
    assert "There is no cluster" in again.stdout
    assert again.returncode == 0


def test_a_load_balancer_that_stays_keeps_the_cluster(tools: Tools) -> None:
    """A VPC with a load balancer in it cannot be removed: it is said which, and nothing more is deleted."""
    (tools.folder / "cluster").touch()
    tools.say("balancers", "arn:aws:elasticloadbalancing:us-west-2:1:loadbalancer/app/k8s-pecia/1")
    tools.environment["PATIENCE_S"] = "0"
    done = tools.run("eks/down.sh", "--yes")
    assert done.returncode != 0
    assert "loadbalancer/app/k8s-pecia/1" in done.stderr
    assert tools.calls("eksctl delete") == []


def test_images_are_built_and_looked_for(tools: Tools) -> None:
    """Each from its file with two tags; a build that leaves no image is a failure."""
    done = tools.run("scripts/build.sh", "--only", "gateway,ocr-cuda")
    assert done.returncode == 0, done.stderr
    built = tools.calls("docker build")
    assert [re.findall(r"--file (\S+)", call)[0] for call in built] == [
        "services/gateway/Dockerfile",
        "services/ocr/Dockerfile.gpu",
    ]
    assert all("--platform linux/amd64" in call and ":latest" in call for call in built)
    tools.say("fails", "docker image inspect\n")
    assert tools.run("scripts/build.sh", "--only", "ui").returncode != 0
    assert "there is no image bogus" in tools.run("scripts/build.sh", "--only", "bogus").stderr


def test_without_a_container_tool_it_is_said(tmp_path: Path) -> None:
    """A docker without its daemon and no podman: what to install."""
    tools = Tools(tmp_path, "docker")
    (tools.folder / "no-daemon").touch()
    tools.alone("bash", "dirname", "basename", "sed")
    done = tools.run("scripts/build.sh")
    assert done.returncode != 0
    assert "Neither docker (with its daemon running) nor podman" in done.stderr
    assert tools.calls("docker build") == []


@pytest.fixture(scope="module")
def amazon() -> Iterator[str]:
    """ECR and STS as moto plays them; gives their address."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def test_repositories_are_made_and_pushed_to(tmp_path: Path, amazon: str) -> None:
    """The real aws makes a repository once, signs in, and the image gets the registry's name."""
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_ENDPOINT_URL": amazon}
    tools = Tools(tmp_path, "docker", **keys)
    assert tools.run("scripts/build.sh", "--only", "gateway").returncode == 0
    first = tools.run("scripts/ecr-setup.sh", "--only", "gateway")
    assert first.returncode == 0, first.stdout + first.stderr
    assert "aws ecr create-repository" in first.stdout
    assert tools.calls("docker login")[0].endswith("123456789012.dkr.ecr.us-west-2.amazonaws.com")
    second = tools.run("scripts/deploy.sh", "push", "--only", "gateway")
    assert second.returncode == 0, second.stdout + second.stderr
    assert "pecia/gateway is there" in second.stdout
    assert tools.calls("docker push")[0].endswith("amazonaws.com/pecia/gateway:0.1.0")


def test_pushing_what_was_not_built_is_told(tools: Tools) -> None:
    """In docker's own words, and which command builds it."""
    done = tools.run("scripts/ecr-setup.sh", "--push", "--only", "ui")
    assert done.returncode != 0
    assert "scripts/build.sh --only ui" in done.stderr


def test_an_upgrade_goes_back_by_itself(tools: Tools) -> None:
    """Definitions first, then the chart, waited for; Helm 3 has another word for going back than Helm 4."""
    (tools.folder / "namespace").touch()
    done = tools.run("scripts/deploy.sh", "upgrade", "--values", "my.yaml", "--context", "there")
    assert done.returncode == 0, done.stdout + done.stderr
    crds, chart = tools.calls("helm upgrade --install")
    assert "helm/pecia-crds" in crds
    assert "--kube-context there --values my.yaml" in chart
    assert "--rollback-on-failure --wait" in chart
    (tools.folder / "helm3").touch()
    tools.run("scripts/deploy.sh", "upgrade")
    assert "--atomic --wait" in tools.calls("helm upgrade --install")[-1]
    tools.say("fails", "helm upgrade --install pecia helm/pecia \n")
    failed = tools.run("scripts/deploy.sh", "upgrade")
    assert failed.returncode != 0
    assert "docs/troubleshoot.md" in failed.stderr


def test_without_a_namespace_nothing_is_installed(tools: Tools) -> None:
    """The cluster is looked at first."""
    done = tools.run("scripts/deploy.sh", "upgrade")
    assert done.returncode != 0
    assert "eks/up.sh makes one" in done.stderr
    assert tools.calls("helm upgrade --install") == []


def test_a_build_that_fails_ends_the_whole(tools: Tools) -> None:
    """`all` pushes nothing that was not built."""
    tools.say("fails", "docker build\n")
    done = tools.run("scripts/deploy.sh", "all", "--only", "ui")
    assert done.returncode != 0
    assert tools.calls("docker push") + tools.calls("helm") == []


def test_the_chart_asks_for_the_images_that_are_built() -> None:
    """One version in the project and in the chart; every image's Dockerfile is where the script looks."""
    chart = ROOT / "helm/pecia/Chart.yaml"
    if not chart.exists():
        pytest.skip("there is no chart yet")
    version = re.findall(r'^version = "(.*)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)[0]
    assert yaml.safe_load(chart.read_text())["appVersion"] == version
