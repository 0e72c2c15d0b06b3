"""What is said about one picture between who has it and the process that decodes it."""

from dataclasses import astuple, dataclass
from enum import IntEnum
from struct import Struct
from typing import ClassVar, Self


class Outcome(IntEnum):
    """What became of the picture. The words for people are not the decoder's."""

    DAMAGED = 0
    DECODED = 1
    TOO_LARGE = 2


@dataclass(frozen=True, slots=True)
class Ask:
    """Pixels the picture may have, and how many are enough to read it."""

    max_pixels: int
    enough: int

    _form: ClassVar[Struct] = Struct("<QQ")
    BYTES: ClassVar[int] = 16

    def packed(self) -> bytes:
        """As it goes over a socket, with a descriptor of the picture and one of the room for its pixels."""
        return self._form.pack(self.max_pixels, self.enough)

    @classmethod
    def unpacked(cls, data: bytes) -> Self:
        """The way back."""
        return cls(*cls._form.unpack(data))


@dataclass(frozen=True, slots=True)
class Answer:
    """Stands at the end of the room. `width` x `height` RGB pixels, packed, stand at its beginning.

    The true sizes are those of the picture, of which the pixels may be a reduction.
    """

    outcome: Outcome
    width: int = 0
    height: int = 0
    true_width: int = 0
    true_height: int = 0

    _form: ClassVar[Struct] = Struct("<5I")
    BYTES: ClassVar[int] = 20

    def packed(self) -> bytes:
        """As it stands there."""
        return self._form.pack(*astuple(self))

    @classmethod
    def unpacked(cls, data: bytes) -> Self:
        """The way back.

        Raises:
            ValueError: an outcome there is none of.
        """
        outcome, *sizes = cls._form.unpack(data)
        return cls(Outcome(outcome), *sizes)

    def fits(self, header: tuple[int, int], room: int) -> bool:
        """Whether it can be true of a picture whose header says this size, with `room` bytes for pixels."""
        true = (self.true_width, self.true_height)
        return (
            0 < self.width <= self.true_width
            and 0 < self.height <= self.true_height
            and self.width * self.height * 3 <= room
            and true in (header, header[::-1])
        )
