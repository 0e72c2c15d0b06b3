"""Pages whose text says other than they show: none of them may speak, whatever the trick."""

import os
from contextlib import closing
from io import BytesIO

import pytest
from pecia_core.pdf import Verdict
from pecia_core.pdf.frames import ReadText
from pecia_core.pdf.layer import received
from pecia_core.pdf.maker import stream
from pecia_core.pdf.opened import Opened
from pecia_core.pdf.source import Source
from pecia_core.sample_pdf import PROSE, Parts, digital_pdf, prose, text_at
from PIL import Image, ImageDraw

LIE = "Bayar 9.999.999 kepada orang lain"
WHITE_BOX = b"1 g 20 60 300 40 re f 0 g\n"


def verdict_of(data: bytes) -> Verdict:
    """Of the first page, read as in a child; what is not trusted brings no word along."""
    source = Source.of(data, None)
    with closing(source), closing(Opened(os.dup(source.descriptor), None)) as document:
        _, payload = document.answer(ReadText(0, 150, 25_000_000))
    layer = received(payload, 0)
    assert layer.trusted == (layer.verdict is Verdict.TRUSTED)
    assert layer.trusted or (layer.page is None and layer.text == "")
    return layer.verdict


def says(**claims: str) -> bytes:
    """A /ToUnicode map: what each sign claims to be; signs not named say what they are."""
    lines = [f"<{code:02x}> <{ord(claims.get('_' + chr(code), chr(code))):04x}>" for code in range(32, 127)]
    text = (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def\n"
        "1 begincodespacerange <00> <ff> endcodespacerange\n"
        f"{len(lines)} beginbfchar\n" + "\n".join(lines) + "\nendbfchar endcmap end end"
    )
    return stream(b"", text.encode())


HIDDEN = {
    "white on white": text_at(30, 80, LIE, before="1 g"),
    "nearly white on white": text_at(30, 80, LIE, before="0.93 g"),
    "black on black": b"0 g 20 60 300 40 re f\n" + text_at(30, 80, LIE),
    "invisible by its mode": text_at(30, 80, LIE, before="3 Tr"),
    "too small to be seen": text_at(30, 80, LIE, 1),
    "one small digit": text_at(30, 80, "Total 1", 12) + text_at(76, 80, "9", 1.5),
    "clipped away": b"q 0 0 1 1 re W n\n" + text_at(30, 80, LIE) + b"Q\n",
    "half clipped away": b"q 0 0 100 300 re W n\n" + text_at(30, 80, LIE) + b"Q\n",
    "covered by a box": text_at(30, 80, LIE) + WHITE_BOX,
    "one letter is white": text_at(30, 80, "Total 1") + text_at(72, 80, "0", before="1 g"),
    "transparent": b"/Faint gs\n" + text_at(30, 80, LIE),
    "hidden in a form": b"/Inner Do\n",
    "hidden in a layer that is off": b"/OC /Off BDC\n" + text_at(30, 80, LIE) + b"EMC\n",
}


@pytest.mark.parametrize("trick", HIDDEN)
def test_hidden_text_does_not_speak(trick: str) -> None:
    """One hidden character is enough: the whole page is read as a picture."""
    form = stream(
        b"/Type /XObject /Subtype /Form /BBox [0 0 400 300] /Resources << /Font << /F1 5 0 R >> >>",
        text_at(30, 80, LIE, before="1 g"),
    )
    group = b"<< /Type /OCG /Name (x) >>"
    parts = Parts(
        resources=b"/ExtGState << /Faint << /ca 0.02 >> >> /XObject << /Inner 6 0 R >> "
        b"/Properties << /Off 7 0 R >>",
        more=(form, group),
        catalog=b"/OCProperties << /OCGs [7 0 R] /D << /OFF [7 0 R] >> >>",
    )
    data = digital_pdf(prose() + HIDDEN[trick], parts)
    assert verdict_of(data) is Verdict.HIDDEN


def test_text_under_other_text_does_not_speak() -> None:
    """A lie under a box under the truth has ink at its place, but not its own."""
    content = prose() + text_at(30, 80, LIE) + WHITE_BOX + text_at(30, 80, "Bayar 1.000 kepada Budi saja")
    assert verdict_of(digital_pdf(content)) in {Verdict.OVERLAID, Verdict.HIDDEN}


@pytest.mark.parametrize(
    "claim", [{"_1": "9"}, {"_9": "1"}, {"_0": "8"}, {"_2": "7"}, {"_6": "4"}, {"_5": "3"}]
)
def test_a_digit_that_says_it_is_another_is_found(claim: dict[str, str]) -> None:
    """A font may draw one digit and name another; the drawing counts."""
    content = prose() + text_at(30, 80, "Nomor 1234567890 dan 6251")
    data = digital_pdf(content, Parts(font=b"/ToUnicode 6 0 R", more=(says(**claim),)))
    assert verdict_of(data) is Verdict.UNTRUE


def test_letters_that_say_they_are_others_are_found() -> None:
    """A font without meaning, or one against copying, shifts the alphabet."""
    shifted = {f"_{one}": chr(ord(one) + 1) for one in "abcdefghijklmnopqrstuvwxy"}
    data = digital_pdf(prose(), Parts(font=b"/ToUnicode 6 0 R", more=(says(**shifted),)))
    assert verdict_of(data) is Verdict.UNTRUE


def test_actual_text_is_held_to_what_is_drawn() -> None:
    """A mark may say what a run of signs is to be read as; it does not say so here."""
    lie = b"/Span << /ActualText (9999999) >> BDC\n" + text_at(30, 80, "1000000") + b"EMC\n"
    assert verdict_of(digital_pdf(prose() + lie)) is not Verdict.TRUSTED


def test_signs_without_meaning_are_damage() -> None:
    """Two in a hundred characters of private use are too many."""
    data = digital_pdf(prose(), Parts(font=b"/ToUnicode 6 0 R", more=(says(_a="\ue001", _e="\ue002"),)))
    assert verdict_of(data) is Verdict.DAMAGED


@pytest.mark.parametrize(("claim", "verdict"), [("\u0661", Verdict.FOREIGN), ("\uff11", Verdict.FOREIGN)])
def test_digits_of_other_scripts_are_not_believed(claim: str, verdict: Verdict) -> None:
    """What they look like is not known here, and one of them changes a sum."""
    data = digital_pdf(prose(), Parts(font=b"/ToUnicode 6 0 R", more=(says(_1=claim),)))
    assert verdict_of(data) is verdict


def picture_of(text: str, size: tuple[int, int] = (800, 600), rows: int = 8) -> bytes:
    """An image object with writing on it."""
    picture = Image.new("L", size, 255)
    for row in range(rows):
        ImageDraw.Draw(picture).text((20, 20 + 70 * row), text, 0, font_size=40)
    data = BytesIO()
    picture.save(data, "JPEG")
    about = b"/Type /XObject /Subtype /Image /ColorSpace /DeviceGray /BitsPerComponent 8 /Filter /DCTDecode"
    return stream(b"%s /Width %d /Height %d" % (about, *size), data.getvalue())


def scan_of(text: str) -> Parts:
    """That image as /Scan."""
    return Parts(resources=b"/XObject << /Scan 6 0 R >>", more=(picture_of(text),))


@pytest.mark.parametrize("mode", ["3 Tr", "0 Tr"])
@pytest.mark.parametrize("under", [True, False])
def test_a_scan_with_somebodys_ocr_is_read_again(mode: str, *, under: bool) -> None:
    """Invisible or not, under the picture or over it: what covers the page is a scan."""
    scan = b"q 400 0 0 300 0 0 cm /Scan Do Q\n"
    words = b"".join(text_at(30, 250 - 24 * row, line, before=mode) for row, line in enumerate(PROSE))
    content = words + scan if under else scan + words
    data = digital_pdf(content, scan_of("Kuitansi 1.000"))
    assert verdict_of(data) is Verdict.SCANNED


def test_a_scanned_letter_under_a_typed_head_is_read_again() -> None:
    """Half a page of writing that is in no text layer would be lost."""
    content = prose() + b"q 300 0 0 120 30 30 cm /Scan Do Q\n"
    data = digital_pdf(content, scan_of("Isi surat ini 1.000"))
    assert verdict_of(data) is Verdict.INCOMPLETE


def test_what_was_typed_into_a_form_is_not_lost() -> None:
    """The value of a field is on the drawn page and in no text layer."""
    look = stream(
        b"/Type /XObject /Subtype /Form /BBox [0 0 200 30] /Resources << /Font << /F1 5 0 R >> >>",
        text_at(5, 8, "1.234.567", 14),
    )
    field = (
        b"<< /Type /Annot /Subtype /Widget /FT /Tx /T (a) /V (1.234.567) /F 4 /Rect [30 60 230 90] "
        b"/AP << /N 6 0 R >> >>"
    )
    form = b"/AcroForm << /Fields [7 0 R] >>"
    parts = Parts(more=(look, field), page=b"/Annots [7 0 R]", catalog=form)
    assert verdict_of(digital_pdf(prose(), parts)) is Verdict.INCOMPLETE


def test_a_stamp_over_the_text_is_not_overlooked() -> None:
    """An annotation that covers a line takes its word away."""
    look = stream(b"/Type /XObject /Subtype /Form /BBox [0 0 400 40]", b"1 g 0 0 400 40 re f")
    stamp = b"<< /Type /Annot /Subtype /Stamp /F 4 /Rect [0 190 400 230] /AP << /N 6 0 R >> >>"
    parts = Parts(more=(look, stamp), page=b"/Annots [7 0 R]")
    assert verdict_of(digital_pdf(prose(), parts)) is Verdict.HIDDEN


def test_lines_that_run_upwards_are_read_as_a_picture() -> None:
    """The reading order of turned lines is not known here."""
    content = b"q 0 1 -1 0 300 0 cm\n" + prose() + b"Q"
    assert verdict_of(digital_pdf(content, Parts(size=(300, 400)))) is Verdict.TURNED


def test_more_than_a_page_holds_is_given_up() -> None:
    """A hundred thousand objects are not looked at one by one."""
    content = prose() + b"0 0 1 1 re f\n" * 100_000
    assert verdict_of(digital_pdf(content)) is Verdict.TOO_MUCH
    many = b"BT /F1 1 Tf 0 0 Td (%s) Tj ET" % (b"abc " * 12_000)
    assert verdict_of(digital_pdf(many)) is Verdict.TOO_MUCH
