"""PDFs that need a password, for tests and benchmarks: pypdf locks them, which no service installs."""

from io import BytesIO

from pypdf import PdfReader, PdfWriter


def locked(data: bytes, password: str, algorithm: str = "AES-256") -> bytes:
    """The same document behind a password; an empty one opens it for everybody, and forbids changes.

    Args:
        data: a PDF that is not locked.
        password: opens it.
        algorithm: RC4-40, RC4-128, AES-128, AES-256-R5 or AES-256.
    """
    writer = PdfWriter(clone_from=PdfReader(BytesIO(data)))
    writer.encrypt(password, owner_password="nobody's", algorithm=algorithm)  # noqa: S106 - not a secret
    out = BytesIO()
    writer.write(out)
    return out.getvalue()
