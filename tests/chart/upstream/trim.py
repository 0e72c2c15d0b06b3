"""Definitions as upstream publishes them, without what nobody checks against: texts, versions not stored.

python tests/chart/upstream/trim.py CRD.yaml... > tests/chart/upstream/NAME.yaml
"""

import sys
from pathlib import Path
from typing import Any

import yaml


def without_words(value: Any) -> Any:
    """The same without descriptions: they are texts; a property of that name is an object."""
    if isinstance(value, dict):
        return {
            key: without_words(one)
            for key, one in value.items()
            if not (key == "description" and isinstance(one, str))
        }
    return [without_words(one) for one in value] if isinstance(value, list) else value


def trimmed(definition: dict[str, Any]) -> dict[str, Any]:
    """The definition with the version that is stored, alone."""
    spec = definition["spec"]
    (stored,) = [version for version in spec["versions"] if version["storage"]]
    stored.pop("additionalPrinterColumns", None)
    named = {"name": definition["metadata"]["name"]}
    return {**definition, "metadata": named, "spec": without_words({**spec, "versions": [stored]})}


if __name__ == "__main__":
    found = [yaml.safe_load(Path(name).read_text()) for name in sys.argv[1:]]
    yaml.safe_dump_all(map(trimmed, found), sys.stdout, sort_keys=True, width=120)
