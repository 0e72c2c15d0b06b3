"""Fails where an image carries a package whose licence binds who calls it: python scripts/licences.py.

What a package says of itself decides. Licences of requirements/licences.toml are let through with the reason
that stands there; so is a package that says nothing, or is not installed here, if it is listed.
"""

import re
import sys
import tomllib
from pathlib import Path

from pinned import REQUIREMENTS, licence, of_images

# They reach callers, forbid uses, or are no open licences at all. LGPL and MPL bind only their own changes.
_BINDING = re.compile(r"AGPL|Affero|(?<!L)(?<!Lesser )GPL|GNU General|SSPL|BUSL|Business Source|Elastic|"
                      r"Commons.Clause|NonCommercial|CC-BY-NC|RAIL|Proprietary", re.IGNORECASE)  # fmt: skip


def complaints(names: list[str], explained: dict[str, str]) -> list[str]:
    """What is wrong with these packages; `explained` = reasons by name."""
    wrong = []
    for name in names:
        said = licence(name)
        if name not in explained and not said:
            wrong.append(f"{name} says nothing of its licence, or is not here: list it with a reason")
        if name not in explained and _BINDING.search(said):
            wrong.append(f"{name} comes under {said}, which binds its users: take another package")
    wrong += [f"{name} is explained, but is in no image" for name in sorted(explained.keys() - set(names))]
    return wrong


def main() -> None:
    """Say what is wrong, and end with status 1 where something is."""
    listed = Path(sys.argv[1]) if len(sys.argv) > 1 else REQUIREMENTS / "licences.toml"
    explained = tomllib.loads(listed.read_text(encoding="utf-8"))
    names = sorted({one.name for packages in of_images().values() for one in packages})
    wrong = complaints(names, {name: str(reason) for name, reason in explained.items()})
    if wrong:
        sys.exit("\n".join(wrong))
    print(f"{len(names)} packages, none under a licence that binds callers.")  # noqa: T201 - a command


if __name__ == "__main__":
    main()
