"""Characters that Markdown would take for markup, kept as characters."""

import re

# Anywhere in a line. A single underscore inside a word means nothing in Markdown and stays, so that
# invoice numbers stay readable.
_INLINE = re.compile(
    r"""
    \\(?=[!-/:-@\[-`{-~]|$)     # a backslash before a sign, or a hard break at the end
    | [`*\[|~]
    | (?<![^\W_])_ | _(?![^\W_])
    | <(?=[A-Za-z/!?])
    | &(?=\#?[0-9A-Za-z]+;)
    """,
    re.VERBOSE,
)
# At the beginning of a line: headings, quotes, bullets, rules.
_LEADING = re.compile(r"(?=\#{1,6}(?:\s|$)|>|[-+](?:\s|$)|-+\s*$|=+\s*$|(?:-[ \t]*){3,}$)")
_NUMBERED = re.compile(r"(\d{1,9})(?=[.)](?:\s|$))")


def escaped(text: str) -> str:
    """The line of text as Markdown that renders to the same characters.

    White space around it is dropped: four leading spaces would be code, two trailing ones a break.
    """
    text = text.strip()
    numbered = _NUMBERED.match(text)
    if numbered:
        number = numbered.group()
        return f"{number}\\{_inline(text[len(number) :])}"
    return ("\\" if _LEADING.match(text) else "") + _inline(text)


def _inline(text: str) -> str:
    return _INLINE.sub(r"\\\g<0>", text)
