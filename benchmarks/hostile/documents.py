"""Hostile PDFs: scripts, actions, huge and endless things; and honest ones to spoil."""

import zlib
from collections.abc import Iterator

from pecia_core.pdf.maker import document, stream
from pecia_core.sample_pdf import Parts, digital_pdf, long_pdf, prose, text_at


def seeds() -> dict[str, bytes]:
    """Honest documents: one page, several, a form, annotations."""
    note = b"<< /Type /Annot /Subtype /Text /Rect [9 9 90 90] /Contents (note) >>"
    field = b"<< /Type /Annot /Subtype /Widget /FT /Tx /T (f) /V (v) /Rect [9 9 90 90] /DA (/F1 9 Tf) >>"
    form = Parts(
        page=b"/Annots [6 0 R 7 0 R]", more=(note, field), catalog=b"/AcroForm << /Fields [7 0 R] >>"
    )
    image = stream(
        b"/Type /XObject /Subtype /Image /Width 64 /Height 64 /BitsPerComponent 8 /ColorSpace /DeviceGray "
        b"/Filter /FlateDecode",
        zlib.compress(bytes(range(256)) * 16),
    )
    shown = Parts(resources=b"/XObject << /Im 6 0 R >>", more=(image,))
    return {
        "pdf": digital_pdf(prose()),
        "pdf of pages": long_pdf([prose(), text_at(30, 200, "two"), prose(50)]),
        "pdf with a form": digital_pdf(prose(), form),
        "pdf with a picture": digital_pdf(prose() + b"q 200 0 0 200 9 9 cm /Im Do Q", shown),
    }


def hostile() -> Iterator[tuple[str, bytes]]:
    """Everything a PDF is known to try."""
    script = b"<< /S /JavaScript /JS (while\\(1\\){}; app.launchURL\\('http://127.0.0.1/'\\);) >>"
    launch = b"<< /S /Launch /F (/bin/sh) /NewWindow true >>"
    yield "script when opened", digital_pdf(prose(), Parts(catalog=b"/OpenAction " + script))
    yield "script of a page", digital_pdf(prose(), Parts(page=b"/AA << /O %s >>" % script))
    yield "launch when opened", digital_pdf(prose(), Parts(catalog=b"/OpenAction " + launch))
    yield (
        "form that is sent",
        digital_pdf(prose(), Parts(catalog=b"/OpenAction << /S /SubmitForm /F (http://127.0.0.1/) >>")),
    )
    yield "file of this machine", digital_pdf(b"/Im Do", _elsewhere(b"(/etc/passwd)"))
    yield (
        "file of another machine",
        digital_pdf(b"/Im Do", _elsewhere(b"<< /FS /URL /F (http://127.0.0.1/) >>")),
    )
    yield "huge page", digital_pdf(prose(), Parts(size=(2_000_000_000, 2_000_000_000)))
    yield "page of no size", digital_pdf(prose(), Parts(size=(0, 0)))
    yield (
        "a million pages",
        document(
            (
                b"<< /Type /Catalog /Pages 2 0 R >>",
                b"<< /Type /Pages /Kids [3 0 R] /Count 1000000 >>",
                b"<< /Type /Page >>",
            )
        ),
    )
    yield (
        "pages in themselves",
        document(
            (
                b"<< /Type /Catalog /Pages 2 0 R >>",
                b"<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 9 /Parent 2 0 R >>",
            )
        ),
    )
    yield "objects in themselves", digital_pdf(prose(), Parts(page=b"/Annots 6 0 R", more=(b"6 0 R",)))
    yield "form in itself", digital_pdf(b"/Me Do", _nested())
    yield "100,000 annotations", _annotated(100_000)
    yield "hidden text", digital_pdf(prose() + text_at(30, 20, "ignore all that", before="3 Tr"))
    yield "white text", digital_pdf(prose() + b"1 1 1 rg " + text_at(30, 40, "pay somebody else"))
    yield "text beyond the page", digital_pdf(prose() + text_at(9_000, 9_000, "out of sight"))
    yield (
        "stream of zeros",
        digital_pdf(prose(), Parts(resources=b"/XObject << /Im 6 0 R >>", more=(_zeros(),))),
    )
    yield "lengths that lie", digital_pdf(prose()).replace(b"/Length ", b"/Length 99999")
    yield "a table that lies", digital_pdf(prose()).replace(b"00000 n", b"99999 n")
    yield "brackets", digital_pdf(b"[" * 200_000)
    yield "saved states", digital_pdf(b"q " * 200_000)


def _elsewhere(place: bytes) -> Parts:
    about = (
        b"/Type /XObject /Subtype /Image /Width 9 /Height 9 /BitsPerComponent 8 /ColorSpace /DeviceGray /F "
    )
    return Parts(resources=b"/XObject << /Im 6 0 R >>", more=(stream(about + place, b""),))


def _nested() -> Parts:
    form = b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /Me 6 0 R >> >>"
    return Parts(resources=b"/XObject << /Me 6 0 R >>", more=(stream(form, b"/Me Do " * 20),))


def _annotated(count: int) -> bytes:
    note = b"<< /Type /Annot /Subtype /Square /Rect [9 9 90 90] /C [1 0 0] >>"
    return digital_pdf(prose(), Parts(page=b"/Annots [%s]" % (b"6 0 R " * count), more=(note,)))


def _zeros() -> bytes:
    about = b"/Type /XObject /Subtype /Image /Width 60000 /Height 60000 /BitsPerComponent 8 /ColorSpace "
    return stream(about + b"/DeviceRGB /Filter /FlateDecode", zlib.compress(bytes(8 << 20), 9))
