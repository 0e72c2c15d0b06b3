"""Writes the chart's schema and its table of values from the comments of values.yaml.

python scripts/chart_reference.py CHART_FOLDER; `make docs` does it. "# --" begins a description, "# @schema"
narrows the type that the default has, "# @like PATH" gives the items of a list the keys of another section.
"""

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

Json = dict[str, Any]
_KEY = re.compile(r"(?P<indent> *)(?P<key>[A-Za-z]\w*):(?: |$)")
_COMMENT = re.compile(r" *# ?(?P<text>.*)")
_MARK = "<!-- values: made by `make docs` from values.yaml -->"
_TYPES: dict[type, str] = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array"}
_NAME = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
_QUANTITY = r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$"
_AMOUNTS = {
    "description": "Amounts by resource: cpu, memory, ephemeral-storage, nvidia.com/gpu.",
    "type": "object",
    "additionalProperties": {"type": ["string", "integer"], "pattern": _QUANTITY},
}


def _closed(description: str, required: list[str], **properties: Json) -> Json:
    return {
        "description": description,
        "type": "object",
        "additionalProperties": False,
        "required": required,
        "properties": properties,
    }


def _text(description: str, **more: object) -> Json:
    return {"description": description, "type": "string", **more}


# What several values have in common.
_SHARED: Json = {
    "strings": {"type": "object", "additionalProperties": {"type": "string"}},
    "object": {"type": "object"},
    "duration": {"type": "string", "pattern": "^([0-9]+h)?([0-9]+m)?([0-9]+s)?$", "minLength": 2},
    "quantity": {"type": "string", "pattern": _QUANTITY},
    "digest": {"type": "string", "pattern": "^$|^sha256:[0-9a-f]{64}$"},
    "env": {
        "type": "object",
        "propertyNames": {"pattern": "^[A-Z][A-Z0-9_]*$"},
        "additionalProperties": {"type": ["string", "number", "boolean"]},
    },
    "resources": _closed("Requests and limits of a container.", [], requests=_AMOUNTS, limits=_AMOUNTS),
    "tolerations": {
        "type": "array",
        "items": _closed(
            "A taint that is borne.",
            [],
            key=_text("Key of the taint; absent = all."),
            operator=_text("Exists or Equal.", enum=["Exists", "Equal"]),
            value=_text("Value of the taint."),
            effect=_text("Effect; absent = all.", enum=["NoSchedule", "PreferNoSchedule", "NoExecute"]),
            tolerationSeconds={"description": "Seconds NoExecute is borne.", "type": "integer"},
        ),
    },
    "cidr": {"type": "string", "pattern": "^[0-9a-fA-F.:]+/[0-9]+$"},
    "peer": _closed(
        "Addresses and ports that may be reached.",
        ["cidr", "ports"],
        cidr=_text("Network, such as 10.0.0.0/16.", pattern="^[0-9a-fA-F.:]+/[0-9]+$"),
        ports={
            "description": "TCP ports.",
            "type": "array",
            "minItems": 1,
            "items": {"type": "integer", "minimum": 1, "maximum": 65535},
        },
    ),
    "model": _closed(
        "An OCRModel.",
        ["name", "spec"],
        name=_text("Name of the object.", maxLength=40, pattern=_NAME),
        spec={"description": "As in the CRD, which checks it.", "type": "object", "minProperties": 1},
    ),
}


@dataclass
class Remark:
    """What the comments above a key say."""

    words: list[str] = field(default_factory=list)
    schema: Json = field(default_factory=dict)
    like: str = ""

    def __bool__(self) -> bool:
        """Whether they say anything for the documentation."""
        return bool(self.words)

    @property
    def description(self) -> str:
        """In one line."""
        return " ".join(self.words)

    def add(self, text: str) -> None:
        """One more line of comment."""
        if text.startswith("@schema "):
            self.schema = json.loads(text.removeprefix("@schema "))
        elif text.startswith("@like "):
            self.like = text.removeprefix("@like ").strip()
        elif text.startswith("-- "):
            self.words = [text.removeprefix("-- ")]
        elif self.words:
            self.words.append(text)


def remarks(text: str) -> dict[str, Remark]:
    """Documented keys by their dotted paths, in the order of the file."""
    found: dict[str, Remark] = {}
    path: list[tuple[int, str]] = []
    remark = Remark()
    for line in text.splitlines():
        if comment := _COMMENT.fullmatch(line):
            remark.add(comment["text"])
            continue
        if key := _KEY.match(line):
            indent = len(key["indent"])
            path = [part for part in path if part[0] < indent] + [(indent, key["key"])]
            if remark:
                found[".".join(name for _, name in path)] = remark
        remark = Remark()
    return found


class Reference:
    """The chart's values, what is said of them and what they may be."""

    def __init__(self, chart: Path) -> None:
        """Read them."""
        text = (chart / "values.yaml").read_text()
        self.values: Json = yaml.safe_load(text)
        self.remarks = remarks(text)

    def at(self, path: str) -> Any:  # noqa: ANN401 - whatever YAML holds
        """The default at a path."""
        value: Any = self.values
        for part in path.split("."):
            value = value[part]
        return value

    def leaves(self) -> Iterator[tuple[str, Remark]]:
        """What can be set, sections left out."""
        return ((path, said) for path, said in self.remarks.items() if not self._is_section(path))

    def _is_section(self, path: str) -> bool:
        return any(other.startswith(f"{path}.") for other in self.remarks)

    def schema(self) -> Json:
        """Of the whole file."""
        top = self._section("", self.values)
        # Helm hands charts that others depend on a section of this name.
        top["properties"]["global"] = {"description": "Of a chart around this one.", "type": "object"}
        return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$defs": _SHARED, **top}

    def _section(self, path: str, values: Json) -> Json:
        properties = {key: self._value(f"{path}.{key}".lstrip("."), value) for key, value in values.items()}
        said = self.remarks.get(path)
        about = {"description": said.description} if said else {}
        return {**about, "type": "object", "additionalProperties": False, "properties": properties}

    def _value(self, path: str, default: object) -> Json:
        said = self.remarks.get(path, Remark())
        if isinstance(default, dict) and not said.schema:
            return self._section(path, default)
        if said.like:
            return {"description": said.description, "type": "array", "items": self._like(said.like)}
        about = {"description": said.description}
        if "$ref" in said.schema:
            return about | said.schema
        kind = "number" if "exclusiveMinimum" in said.schema else _TYPES[type(default)]
        return about | {"type": kind} | said.schema

    def _like(self, path: str) -> Json:
        item = self._section(path, self.at(path))
        name = _text("What it is called: part of the objects' names.", maxLength=20, pattern=_NAME)
        return {**item, "required": ["name"], "properties": {"name": name, **item["properties"]}}

    def table(self) -> str:
        """One row a value."""
        rows = ["| value | default | what |", "|---|---|---|"]
        for path, said in self.leaves():
            default = json.dumps(self.at(path), ensure_ascii=False)
            text = said.description.replace("|", r"\|")
            rows.append(f"| `{path}` | `{default}` | {text}{_bounds(said.schema)} |")
        return "\n".join(rows)


def _bounds(schema: Json) -> str:
    words = {"minimum": "at least", "maximum": "at most", "exclusiveMinimum": "more than"}
    said = [f"{word} {schema[name]}" for name, word in words.items() if name in schema]
    return f" ({', '.join(said)})" if said else ""


def readme(old: str, table: str) -> str:
    """The page with its table made anew."""
    before, _, _ = old.partition(_MARK)
    return f"{before}{_MARK}\n\n{table}\n"


def main(chart: Path) -> None:
    """Write both files."""
    reference = Reference(chart)
    page = chart / "README.md"
    page.write_text(readme(page.read_text(), reference.table()))
    (chart / "values.schema.json").write_text(json.dumps(reference.schema(), indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
