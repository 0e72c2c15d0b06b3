"""What a child refuses, in words for people."""

from pecia_core.errors import InvalidDocument, InvalidRequest, PeciaError
from pecia_core.pdf.frames import FromChild, Refusal, Refused


def error(said: FromChild, password: str | None) -> PeciaError:
    """What to raise where the answer is not the one hoped for."""
    match said:
        case Refused(Refusal.ENCRYPTED) if password is None:
            message = (
                "This PDF is encrypted. Save a copy without a password and send that one, "
                "or send the password with a job."
            )
            return InvalidDocument(message, code="pdf_encrypted")
        case Refused(Refusal.ENCRYPTED):
            message = "The password does not open this PDF. Send the right one, or a copy without a password."
            return InvalidDocument(message, code="pdf_encrypted")
        case Refused(Refusal.NO_SUCH_PAGE):
            return InvalidRequest("The PDF has no such page. Ask for a page it has.")
        case Refused(Refusal.NO_PAGES):
            return InvalidDocument("This PDF has no pages. Export it again.", code="invalid_pdf")
        case Refused(Refusal.OUT_OF_MEMORY):
            message = "A page of this PDF needs more memory than a page may. Send its pages as pictures."
            return InvalidDocument(message, code="invalid_pdf")
        case _:
            message = "This is no PDF that can be read: it is damaged or cut off. Export it again."
            return InvalidDocument(message, code="invalid_pdf")


def too_slow(seconds: float) -> PeciaError:
    """For a page that was given up."""
    return InvalidDocument(
        f"A page of this PDF takes longer than {seconds:g} s to draw. Print it to a new PDF, or send its "
        "pages as pictures.",
        code="invalid_pdf",
    )


def breaks_the_reader() -> PeciaError:
    """For a page that ended one child after the other."""
    return InvalidDocument(
        "This PDF cannot be drawn: it breaks the program that reads it, or needs more memory "
        "than a page may. Print it to a new PDF, or send its pages as pictures.",
        code="invalid_pdf",
    )
