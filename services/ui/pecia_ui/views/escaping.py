"""Text from elsewhere inside our own sentences, so that Streamlit shows it as it is: no mark-up at all."""

import re


def code(text: str) -> str:
    """Text as a code span; there nothing is markup but its end."""
    return "`" + " ".join(text.split()).replace("`", "'") + "`"


def plain(text: str) -> str:
    """Text that is no Markdown at all, on one line."""
    return re.sub(r"([\\`*_\[\]$:#<>!|~])", r"\\\1", " ".join(text.split()))
