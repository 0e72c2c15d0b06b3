"""Answers and failures from a script, for tests and demonstrations: no model, any behaviour.

A script is TOML: one table per scene. `options.ref_text` names the scene of a page and may change
its settings ("lines count=5 delay_s=0.1"); otherwise the colour of the picture's top-left pixel
chooses; otherwise the scene called "default" is played. Same picture, same options, same answer.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from threading import Event

import msgspec
from pecia_core.document import Block, Line
from pecia_core.errors import InvalidRequest, Unavailable, from_code
from pecia_core.geometry import BBox, Polygon
from pecia_core.recognition import Delta, RecognizeOptions
from pecia_core.vocabulary import BlockKind, EngineName, FinishReason, TaskType

from pecia_ocr.engines.base import (
    CancelToken,
    EngineEvent,
    EngineInfo,
    Finished,
    Oriented,
    Pixels,
    PlacedLine,
)

DEFAULT_SCRIPT = """
[default]

[lines]
corner = "#00ff00"
count = 10
text = "{digest} {number}"

[slow]
corner = "#0000ff"
count = 100
delay_s = 0.1
text = "{digest} {number}"

[blank]
count = 0

[fail]
corner = "#ff8000"
error = "server_error"

[crash]
corner = "#ff0000"
crash = true

[hang]
corner = "#ff00ff"
hang = true
"""
_CRASHED = 70  # what the process exits with
_DIGEST_LENGTH = 16
_PAGES_TOGETHER = 4


class Scene(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What happens to a page: `count` lines, each after `delay_s` seconds, then at most one disaster.

    `text` may hold {digest} (of the pixels) and {number} (of the line, from 1). `corner` is the
    top-left pixel that chooses this scene, "#rrggbb". `error` is a code of pecia_core.errors.
    `content` is what a vision model would write: Markdown and HTML as they are, in a block of the `kind`.
    A `crash` ends the process; a `hang` sleeps for ever and does not listen to a cancel.
    """

    corner: str = ""
    count: int = 1
    text: str = "{digest}"
    delay_s: float = 0.0
    confidence: float = 1.0
    rotation: int = 0
    finish_reason: FinishReason = FinishReason.STOP
    content: str = ""
    kind: BlockKind = BlockKind.PARAGRAPH
    error: str = ""
    crash: bool = False
    hang: bool = False


def digest_of(pixels: Pixels) -> str:
    """What the scripted engine says about a picture: it differs when a pixel differs."""
    digest = sha256(repr(pixels.shape).encode())
    digest.update(pixels.tobytes())
    return digest.hexdigest()[:_DIGEST_LENGTH]


class ScriptedEngine:
    """Plays scenes."""

    def __init__(self, script: str = "", load_s: float = 0.0) -> None:
        """Remember the script; an empty one is DEFAULT_SCRIPT.

        Args:
            script: TOML.
            load_s: seconds that loading takes.
        """
        self._script = script or DEFAULT_SCRIPT
        self._load_s = load_s
        self._scenes: dict[str, Scene] = {}

    @property
    def info(self) -> EngineInfo:
        """It claims to do everything."""
        revision = f"script-{sha256(self._script.encode()).hexdigest()[:8]}"
        return EngineInfo(
            EngineName.SCRIPTED, ("scripted",), revision, tuple(TaskType), pages_together=_PAGES_TOGETHER
        )

    def load(self, progress: Callable[[float], None]) -> None:
        """Read the script.

        Raises:
            Unavailable: the script is wrong; the message says where.
        """
        progress(0.0)
        time.sleep(self._load_s)
        try:
            self._scenes = msgspec.toml.decode(self._script, type=dict[str, Scene])
        except msgspec.DecodeError as error:
            raise Unavailable(f"The script of the scripted engine is wrong: {error}.") from error
        progress(1.0)

    def read(self, pixels: Pixels, options: RecognizeOptions, cancel: CancelToken) -> Iterator[EngineEvent]:
        """Play the page's scene."""
        scene = self._scene(pixels, options.ref_text)
        yield Oriented(scene.rotation)
        for number in range(scene.count):
            _wait(scene.delay_s, cancel)
            yield PlacedLine(_line(scene, pixels, number), 0)
        if scene.content:
            yield Delta(scene.content)
            height, width = pixels.shape[:2]
            whole = Polygon.from_bbox(BBox(0.0, 0.0, width, height))
            yield Block(scene.kind, whole, (), scene.count, content=scene.content)
        _disaster(scene)
        yield Finished(scene.finish_reason)

    def read_together(
        self, pages: Sequence[Pixels], options: RecognizeOptions, cancel: CancelToken
    ) -> Iterator[EngineEvent]:
        """Play the scenes of several pages."""
        for page in pages:
            yield from self.read(page, options, cancel)

    def _scene(self, pixels: Pixels, ref_text: str) -> Scene:
        name, *changes = ref_text.split() or [""]
        if name in self._scenes:
            return _changed(self._scenes[name], changes)
        corner = "#" + bytes(pixels[0, 0]).hex()
        by_corner = (scene for scene in self._scenes.values() if scene.corner == corner)
        return next(by_corner, self._scenes.get("default", Scene()))


def _changed(scene: Scene, changes: list[str]) -> Scene:
    """The scene with "setting=value" words applied."""
    settings = msgspec.structs.asdict(scene) | dict(change.partition("=")[::2] for change in changes)
    try:
        return msgspec.convert(settings, Scene, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"The scripted engine has no such scene: {error}.", param="ref_text") from error


def _line(scene: Scene, pixels: Pixels, number: int) -> Line:
    """The lines share the page's height."""
    height, width = pixels.shape[:2]
    pitch = height / scene.count
    box = BBox(0.0, number * pitch, width, (number + 1) * pitch)
    text = scene.text.format(digest=digest_of(pixels), number=number + 1)
    return Line(text, Polygon.from_bbox(box), scene.confidence, row=number)


def _wait(seconds: float, cancel: CancelToken) -> None:
    cancelled = Event()
    cancel.on_cancel(cancelled.set)
    cancelled.wait(seconds)
    cancel.check()


def _disaster(scene: Scene) -> None:
    if scene.crash:
        os._exit(_CRASHED)
    while scene.hang:
        time.sleep(1)
    if scene.error:
        raise from_code(scene.error, "The script says that this page fails.")
