"""Writes bills of materials (CycloneDX 1.6) of each image and of the chart: python scripts/sbom.py FOLDER.

An image's is made from what it installs: its hash-locked requirement file, its base, and the models in it;
the packages of Debian in its base are the base's own affair. The chart's names the images it runs.
"""

import hashlib
import json
import re
import subprocess
import sys
import tomllib
import uuid
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import yaml
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from pecia_ocr.engines.rapid.weights import packaged
from pinned import ROOT, Pinned, licence, of_images

_WITH_MODELS = ("ocr", "ocr-cuda")
_CHART = ROOT / "helm/pecia"


def version() -> str:
    """Of everything that is released together."""
    return str(tomllib.loads((ROOT / "services/gateway/pyproject.toml").read_text())["project"]["version"])


def image(name: str, packages: list[Pinned]) -> Bom:
    """The bill of one image."""
    parts = [_package(one) for one in packages]
    parts.append(_base(name))
    if name in _WITH_MODELS:
        parts += _models()
    return _bill(Component(name=f"pecia/{name}", version=version(), type=ComponentType.CONTAINER), parts)


def chart() -> Bom:
    """The bill of the chart: every image that its values name, at the version it would run."""
    said = yaml.safe_load((_CHART / "Chart.yaml").read_text())
    values = (_CHART / "values.yaml").read_text()
    named = sorted(set(re.findall(r"(?m)^\s+repository: ([\w./-]+)\s*$", values)))
    parts = [
        Component(name=one, version=str(said["appVersion"]), type=ComponentType.CONTAINER) for one in named
    ]
    whole = Component(
        name=f"helm/{said['name']}", version=str(said["version"]), type=ComponentType.APPLICATION
    )
    return _bill(whole, parts)


def _package(one: Pinned) -> Component:
    name = licence(one.name)
    return Component(
        name=one.name,
        version=one.version,
        type=ComponentType.LIBRARY,
        purl=PackageURL.from_string(one.purl),
        bom_ref=one.purl,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=found) for found in one.hashes[:1]],
        description=one.marker or None,
        licenses=[DisjunctiveLicense(name=name)] if name else [],
    )


def _base(name: str) -> Component:
    dockerfile = tomllib.loads((ROOT / "services/images.toml").read_text())[name]["dockerfile"]
    found = re.search(r"(?m)^ARG PYTHON_IMAGE=(\S+):(\S+)$", (ROOT / dockerfile).read_text())
    if found is None:
        raise ValueError(f"{dockerfile} names no base as ARG PYTHON_IMAGE=name:tag")
    return Component(name=found[1], version=found[2], type=ComponentType.CONTAINER)


def _models() -> Iterable[Component]:
    weights = packaged()
    for path in (weights.detection, weights.recognition):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        yield Component(
            name=path.name,
            version=weights.revision,
            type=ComponentType.MACHINE_LEARNING_MODEL,
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest)],
        )


def _bill(whole: Component, parts: Iterable[Component]) -> Bom:
    bill = Bom(components=parts)
    bill.metadata.component = whole
    bill.register_dependency(whole, bill.components)
    when = subprocess.run(
        ["git", "log", "-1", "--format=%cI"],  # noqa: S607 - as it is found
        cwd=ROOT, capture_output=True, text=True, check=False,
    ).stdout.strip()  # fmt: skip
    bill.metadata.timestamp = datetime.fromisoformat(when or "1970-01-01T00:00:00+00:00")
    names = ",".join(sorted(f"{part.name}@{part.version}" for part in bill.components))
    bill.serial_number = uuid.uuid5(uuid.NAMESPACE_URL, f"{whole.name}@{whole.version}:{names}")
    return bill


def main() -> None:
    """Write them all; one that is not valid ends it."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    bills = {name: image(name, packages) for name, packages in of_images().items()} | {"chart": chart()}
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    for name, bill in bills.items():
        text = JsonV1Dot6(bill).output_as_string(indent=2)
        if wrong := validator.validate_str(text):
            sys.exit(f"{name}: {wrong}")
        path = folder / f"{name}.cdx.json"
        path.write_text(text + "\n", encoding="utf-8")
        print(f"{path}: {len(json.loads(text)['components'])} components")  # noqa: T201 - a command


if __name__ == "__main__":
    main()
