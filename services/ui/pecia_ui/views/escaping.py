"""Text from elsewhere, so that Streamlit shows it as it is: no HTML, no pictures fetched, no formulas."""

import re

# Beyond Markdown, Streamlit knows pictures from elsewhere, formulas, icons and colours: all of them
# would show something that is not on the paper.
_STREAMLIT_MARKUP = re.compile(r"(?<!\\)(!(?=\[)|\$|:(?=\S))")


def presentable(markdown: str) -> str:
    """Markdown that shows only what was read: no pictures fetched, no formulas out of prices."""
    return _STREAMLIT_MARKUP.sub(r"\\\1", markdown)


def code(text: str) -> str:
    """Text as a code span; there nothing is markup but its end."""
    return "`" + " ".join(text.split()).replace("`", "'") + "`"


def plain(text: str) -> str:
    """Text that is no Markdown at all, on one line."""
    return re.sub(r"([\\`*_\[\]$:#<>!|~])", r"\\\1", " ".join(text.split()))
