"""Spoils files, the same way for the same seed."""

import random
from collections.abc import Iterator, Mapping

_KIB = 1024
# Numbers that lengths and sizes go wrong at.
_EDGES = (
    b"\0",
    b"\xff",
    b"\x7f",
    b"\x80",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\0\0\0\0",
    b"\x80\0\0\0",
)
_MOST_WOUNDS = 8


def truncated(files: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """Each file cut off at each kilobyte."""
    for name, data in files.items():
        for size in range(0, len(data), _KIB):
            yield f"{name} cut at {size}", data[:size]


def spoiled(files: Mapping[str, bytes], seed: str, number: int) -> tuple[str, bytes]:
    """Case `number` of a seed: one of the files with some wounds. Anybody can make it again."""
    chance = random.Random(f"{seed}:{number}")  # noqa: S311 - it has to come again
    name = chance.choice(sorted(files))
    data = bytearray(files[name])
    for _ in range(chance.randint(1, _MOST_WOUNDS)):
        _wound(data, chance, files)
    return f"{name} spoiled by {seed}:{number}", bytes(data)


def _wound(data: bytearray, chance: random.Random, files: Mapping[str, bytes]) -> None:
    # Headers decide: they are hit as often as all the rest.
    place = chance.randrange(min(len(data), 512) if chance.random() < 0.5 else len(data)) if data else 0
    length = chance.choice((1, 2, 4, 16, 256))
    match chance.randrange(6):
        case 0:
            data[place : place + 1] = bytes([chance.randrange(256)])
        case 1:
            edge = chance.choice(_EDGES)
            data[place : place + len(edge)] = edge
        case 2:
            del data[place : place + length]
        case 3:
            data[place:place] = data[place : place + length] * chance.randint(1, 20)
        case 4:
            other = files[chance.choice(sorted(files))]
            start = chance.randrange(len(other))
            data[place : place + length] = other[start : start + length]
        case _:
            del data[max(1, chance.randrange(len(data) or 1)) :]
