"""From inside the process that decodes a picture: what it is, what it holds, and what it cannot do."""

import subprocess
import sys
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from threading import Thread, Timer

import numpy as np
import psutil
import pytest
from pecia_core.errors import EngineFailed, InvalidDocument, TooLarge
from pecia_ocr.decoding import DecodeLimits, Decoder, decode_for_reading, decoder, formats
from pecia_ocr.decoding.exchange import Answer, Ask, Outcome
from pecia_ocr.engines.base import CancelToken, Interrupted
from pecia_ocr.testing import picture
from PIL import Image

ROOT = Path(__file__).parents[3]
TAKEN_OVER = Path(__file__).with_name("taken_over.py")
DEEDS = ROOT / "libs/wall/tests/deeds.py"
NAMES = [
    line.split()[1].partition("(")[0]
    for line in DEEDS.read_text().splitlines()
    if line.startswith("def ") and not line.startswith("def _")
]
GOOD = picture((10, 200, 30), (64, 48))


@pytest.fixture(scope="module")
def honest() -> Iterator[Decoder]:
    """The real program, for all tests here."""
    made = Decoder(DecodeLimits(memory_bytes=2 << 30))
    yield made
    made.close()


@pytest.fixture
def taken_over(monkeypatch: pytest.MonkeyPatch) -> Iterator[Decoder]:
    """A decoder that does what pictures say, two seconds each."""
    monkeypatch.setattr(decoder, "_PROGRAM", ("-I", str(TAKEN_OVER)))
    made = Decoder(DecodeLimits(seconds=2))
    yield made
    made.close()


@pytest.mark.parametrize("deed", NAMES)
def test_a_picture_that_takes_its_process_over_is_alone_in_there(taken_over: Decoder, deed: str) -> None:
    """Whatever it tries fails, costs its page alone, and the next picture is decoded by the same program."""
    before = taken_over.decode(GOOD, CancelToken())
    program = psutil.Process(taken_over._process.pid)  # type: ignore[union-attr]
    with pytest.raises(InvalidDocument, match="breaks the program"):
        taken_over.decode(GOOD + b"DEED:" + deed.encode(), CancelToken())
    after = taken_over.decode(GOOD, CancelToken())
    assert np.array_equal(before.pixels, after.pixels)
    assert program.is_running()
    assert program.children() == []


def test_nothing_of_ours_is_in_the_process_that_decodes(taken_over: Decoder) -> None:
    """While a picture loops: one word of environment, no descriptor at all, and only code is mapped."""
    taken_over.decode(GOOD, CancelToken())
    token = CancelToken()
    thread = Thread(target=lambda: _stopped(taken_over, token))
    thread.start()
    program = psutil.Process(taken_over._process.pid)  # type: ignore[union-attr]
    while not (found := program.children()) or found[0].cpu_times().user < 0.1:
        time.sleep(0.01)
    place = Path(f"/proc/{found[0].pid}")
    assert (place / "environ").read_bytes() == b"OPENBLAS_NUM_THREADS=1\0"
    assert list((place / "fd").iterdir()) == []
    mapped = {line.split(maxsplit=5)[5] for line in _lines(place / "maps") if len(line.split()) > 5}
    code = (sys.base_prefix, sys.prefix, "/usr/lib", "/lib", "/dev/zero", "/memfd:picture", "[")
    assert all(name.startswith(code) for name in mapped), mapped
    assert {"Seccomp:\t2", "NoNewPrivs:\t1"} <= {*_lines(place / "status")}
    token.cancel()
    thread.join(5)
    assert program.children() == []


def _stopped(taken_over: Decoder, token: CancelToken) -> None:
    with pytest.raises(Interrupted):
        taken_over.decode(GOOD + b"DEED:loop", token)


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def test_a_cancelled_picture_is_given_up_at_once(taken_over: Decoder) -> None:
    """Within 200 ms (a second here), and the program that waits for the next picture stays."""
    taken_over.decode(GOOD, CancelToken())
    program, token = taken_over._process, CancelToken()
    Timer(0.1, token.cancel).start()
    began = time.monotonic()
    with pytest.raises(Interrupted):
        taken_over.decode(GOOD + b"DEED:loop", token)
    assert time.monotonic() - began < 1.1
    assert taken_over.decode(GOOD, CancelToken()).pixels.shape == (48, 64, 3)
    assert taken_over._process is program


def test_a_program_that_was_killed_is_started_again(honest: Decoder) -> None:
    """The page that was in it fails; the kernel may take any process."""
    honest.decode(GOOD, CancelToken())
    first = honest._process
    assert first
    first.kill()
    first.wait()
    assert honest.decode(GOOD, CancelToken()).pixels.shape == (48, 64, 3)
    assert honest._process is not first


@pytest.mark.parametrize("sample", formats.samples())
def test_behind_the_wall_pixels_are_the_same(honest: Decoder, sample: bytes) -> None:
    """Every kind of picture, turned by its EXIF or not."""
    plain, walled = decode_for_reading(sample), honest.decode(sample, CancelToken())
    assert np.array_equal(plain.pixels, walled.pixels)
    assert (plain.width, plain.height) == (walled.width, walled.height)


def test_a_reduced_picture_keeps_its_size(honest: Decoder) -> None:
    """A JPEG far larger than reading needs comes at a fraction, lying on its side as well."""
    buffer, exif = BytesIO(), Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (8000, 6000), "teal").save(buffer, "JPEG", exif=exif)
    seen = honest.decode(buffer.getvalue(), CancelToken())
    assert (seen.pixels.shape, seen.width, seen.height) == ((4000, 3000, 3), 6000, 8000)


def test_engines_may_write_into_their_page(honest: Decoder) -> None:
    """What they get is their own, and as large as it has to be."""
    seen = honest.decode(GOOD, CancelToken())
    seen.pixels[:] = 0
    assert honest.decode(GOOD, CancelToken()).pixels.max() == 200


def test_a_picture_that_needs_too_much_memory_is_too_large() -> None:
    """The bound holds for its process, not for the one that reads."""
    small = Decoder(DecodeLimits(memory_bytes=300 << 20))
    with pytest.raises(TooLarge):
        small.decode(picture((1, 2, 3), (6000, 5000)), CancelToken())
    assert small.decode(GOOD, CancelToken()).width == 64
    small.close()


def test_only_the_formats_that_are_read_can_be_opened() -> None:
    """Pillow has some forty readers; the process that decodes has these, and cannot load another."""
    program = (
        "from pecia_ocr.decoding import child, formats; from PIL import Image; import sys, io\n"
        "from pecia_wall.calls import FORKING; from pecia_wall import Wall\n"
        "formats.only_these(); Wall(FORKING).enter(required=True)\n"
        "try: Image.init()\nexcept OSError: pass\n"
        "print(*sorted(Image.OPEN), *sorted(Image.ID))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", program],
        env={"OPENBLAS_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [*formats.READ, *formats.READ]


@pytest.mark.parametrize(
    ("answer", "fits"),
    [
        (Answer(Outcome.DECODED, 40, 24, 40, 24), True),
        (Answer(Outcome.DECODED, 24, 40, 24, 40), True),
        (Answer(Outcome.DECODED, 20, 12, 40, 24), True),
        (Answer(Outcome.DECODED, 41, 24, 41, 24), False),
        (Answer(Outcome.DECODED, 0, 24, 40, 24), False),
        (Answer(Outcome.DECODED, 2**31, 2**31, 40, 24), False),
        (Answer(Outcome.DECODED, 40, 40, 40, 24), False),
    ],
)
def test_what_a_decoder_says_is_checked(answer: Answer, *, fits: bool) -> None:
    """Sizes that are not the picture's, or more pixels than there is room for, are not believed."""
    assert answer.fits((40, 24), 40 * 24 * 3) is fits
    assert Answer.unpacked(answer.packed()) == answer
    assert Ask.unpacked(Ask(1, 2).packed()) == Ask(1, 2)


def test_where_all_walls_are_required_a_kernel_without_them_decodes_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A kernel without Landlock is played by a program that is told so."""
    program = tmp_path / "bare.py"
    program.write_text(
        "from pecia_wall import landlock\nlandlock.version = lambda: 0\n"
        "from pecia_ocr.decoding import child\nchild.main()\n"
    )
    monkeypatch.setattr(decoder, "_PROGRAM", ("-I", str(program)))
    with pytest.raises(EngineFailed, match="does not start"):
        Decoder(DecodeLimits(wall_required=True)).decode(GOOD, CancelToken())
    bare = Decoder(DecodeLimits())
    assert bare.decode(GOOD, CancelToken()).width == 64
    assert bare.bearing.landlock == 0
    assert bare.bearing.seccomp
    bare.close()
