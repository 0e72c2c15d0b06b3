"""An account of AWS, real or played, as tests look at it: by the command line everybody uses."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trustme

from tests.cluster.kubectl import Thing

_AWS = Path(sys.executable).with_name("aws")
_ANSWER_S = 120
_PLAYED = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "tests", "AWS_DEFAULT_REGION": "us-west-2"}
_FIREWALL = "pecia-tests"
_COUNTS_NOTHING = "SampledRequestsEnabled=false,CloudWatchMetricsEnabled=false,MetricName=pecia"


@dataclass(frozen=True)
class Rule:
    """What a listener does: with requests to `hosts` and `paths` (empty = any) it does `action`.

    `action` is the ARN of a target group, or the status it answers itself.
    """

    hosts: tuple[str, ...]
    paths: tuple[str, ...]
    action: str


@dataclass(frozen=True)
class Account:
    """Reached at `endpoint`, with the credentials of the environment or with any."""

    endpoint: str

    def __call__(self, *words: str) -> Any:
        """What `aws` says, parsed; None where it says nothing.

        Raises:
            AssertionError: it failed; its own words.
        """
        environment = _PLAYED | os.environ | {"AWS_ENDPOINT_URL": self.endpoint, "AWS_PAGER": ""}
        done = subprocess.run(
            [str(_AWS), *words, "--output=json"],
            capture_output=True,
            text=True,
            check=False,
            timeout=_ANSWER_S,
            env=environment,
        )
        assert not done.returncode, f"aws {' '.join(words)}: {done.stderr.strip()}"
        return json.loads(done.stdout) if done.stdout.strip() else None

    def made(self) -> set[str]:
        """Load balancers, target groups and security groups that are there, by ARN or id."""
        balancers = self("elbv2", "describe-load-balancers")["LoadBalancers"]
        groups = self("elbv2", "describe-target-groups")["TargetGroups"]
        walls = self("ec2", "describe-security-groups")["SecurityGroups"]
        return (
            {str(one["LoadBalancerArn"]) for one in balancers}
            | {str(one["TargetGroupArn"]) for one in groups}
            | {str(one["GroupId"]) for one in walls}
        )

    def balancer(self, name: str) -> "Balancer | None":
        """The load balancer that is called so, in the world's names."""
        found = self("elbv2", "describe-load-balancers")["LoadBalancers"]
        return next((Balancer(self, one) for one in found if one["DNSName"] == name), None)

    @contextmanager
    def certificate(self, folder: Path, *names: str) -> Iterator[str]:
        """The ARN of a certificate for those names, as long as the block lasts."""
        issued = trustme.CA().issue_cert(*names)
        issued.cert_chain_pems[0].write_to_path(folder / "tls.crt")
        issued.private_key_pem.write_to_path(folder / "tls.key")
        files = [f"--certificate=fileb://{folder}/tls.crt", f"--private-key=fileb://{folder}/tls.key"]
        arn = str(self("acm", "import-certificate", *files)["CertificateArn"])
        yield arn
        self("acm", "delete-certificate", f"--certificate-arn={arn}")

    @contextmanager
    def firewall(self) -> Iterator[str]:
        """The ARN of a web ACL that lets everybody in, as long as the block lasts."""
        named = [f"--name={_FIREWALL}", "--scope=REGIONAL"]
        said = ["--default-action=Allow={}", f"--visibility-config={_COUNTS_NOTHING}"]
        made = self("wafv2", "create-web-acl", *named, *said)["Summary"]
        yield str(made["ARN"])
        token = self("wafv2", "get-web-acl", *named, f"--id={made['Id']}")["LockToken"]
        self("wafv2", "delete-web-acl", *named, f"--id={made['Id']}", f"--lock-token={token}")


@dataclass(frozen=True)
class Balancer:
    """One load balancer of the account, as it was described when it was asked for."""

    account: Account
    described: Thing

    @property
    def arn(self) -> str:
        """Its name among AWS's things."""
        return str(self.described["LoadBalancerArn"])

    def attributes(self) -> dict[str, str]:
        """Its own, such as idle_timeout.timeout_seconds."""
        said = self.account("elbv2", "describe-load-balancer-attributes", f"--load-balancer-arn={self.arn}")
        return {one["Key"]: one["Value"] for one in said["Attributes"]}

    def listeners(self) -> dict[int, Thing]:
        """By port."""
        said = self.account("elbv2", "describe-listeners", f"--load-balancer-arn={self.arn}")
        return {int(one["Port"]): one for one in said["Listeners"]}

    def protocols(self) -> dict[int, str]:
        """What its listeners speak, by port."""
        return {port: str(one["Protocol"]) for port, one in self.listeners().items()}

    def rules(self) -> dict[int, list[Rule]]:
        """Of each port, in the order in which they are tried; the last takes what is left."""
        return {port: self._rules_of(str(one["ListenerArn"])) for port, one in self.listeners().items()}

    def _rules_of(self, listener: str) -> list[Rule]:
        said = self.account("elbv2", "describe-rules", f"--listener-arn={listener}")["Rules"]
        said.sort(
            key=lambda one: (one["Priority"] == "default", int(one["Priority"].replace("default", "0")))
        )
        return [Rule(_values(one, "host-header"), _values(one, "path-pattern"), _action(one)) for one in said]

    def groups(self) -> list[Thing]:
        """The target groups it leads to."""
        said = self.account("elbv2", "describe-target-groups", f"--load-balancer-arn={self.arn}")
        return list(said["TargetGroups"])

    def group_attributes(self, group: str) -> dict[str, str]:
        """Of a target group, by its ARN."""
        said = self.account("elbv2", "describe-target-group-attributes", f"--target-group-arn={group}")
        return {one["Key"]: one["Value"] for one in said["Attributes"]}

    def targets(self, group: str) -> dict[str, str]:
        """How each target of a group is, by address:port; who leaves is `draining`."""
        said = self.account("elbv2", "describe-target-health", f"--target-group-arn={group}")
        return {
            f"{one['Target']['Id']}:{one['Target']['Port']}": str(one["TargetHealth"]["State"])
            for one in said["TargetHealthDescriptions"]
        }

    def firewall(self) -> str:
        """The ARN of the web ACL before it; empty where there is none."""
        said = self.account("wafv2", "get-web-acl-for-resource", f"--resource-arn={self.arn}")
        return str((said or {}).get("WebACL", {}).get("ARN", ""))

    def callers(self) -> set[tuple[int, str]]:
        """Which ports may be called from where, by its security groups."""
        ids = ",".join(self.described["SecurityGroups"])
        said = self.account("ec2", "describe-security-groups", f"--filters=Name=group-id,Values={ids}")
        return {
            (int(rule["FromPort"]), str(there["CidrIp"]))
            for group in said["SecurityGroups"]
            for rule in group["IpPermissions"]
            for there in rule["IpRanges"]
        }


def _values(rule: Thing, field: str) -> tuple[str, ...]:
    config = {"host-header": "HostHeaderConfig", "path-pattern": "PathPatternConfig"}[field]
    found = [one for one in rule["Conditions"] if one["Field"] == field]
    return tuple(value for one in found for value in one.get(config, one)["Values"])


def _action(rule: Thing) -> str:
    (action,) = rule["Actions"]
    if action["Type"] == "fixed-response":
        return str(action["FixedResponseConfig"]["StatusCode"])
    return str(action["ForwardConfig"]["TargetGroups"][0]["TargetGroupArn"])
