"""Markdown that a model wrote off a stranger's page, as HTML that only shows: nothing runs or is fetched.

markdown-it-py says what the Markdown means, nh3 what of it may be shown. A picture becomes its words, what
is no mark-up of text or tables becomes nothing but its own text, and a link leads to the web or to a letter.
"""

import re
from collections.abc import Sequence

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

# Characters. Ten pages of the smallest print; what is longer is shown as text, so that no page of nested
# brackets keeps the server busy.
_LONGEST = 100_000
_MOST_SPANNED = 200
_SMALL = re.compile("[0-9]{1,3}")
_TEXT_TAGS = "p br hr h1 h2 h3 h4 h5 h6 ul ol li blockquote pre code em strong b i u s sub sup a"
_TABLE_TAGS = "table caption thead tbody tfoot tr th td"
_CELL = {"colspan", "rowspan", "style"}
_CLEANER = nh3.Cleaner(
    tags=set(f"{_TEXT_TAGS} {_TABLE_TAGS}".split()),
    # What stands in a script on paper was read there: it is text like other text.
    clean_content_tags=set(),
    attributes={"a": {"href"}, "ol": {"start"}, "td": _CELL, "th": _CELL},
    attribute_filter=lambda tag, name, value: _bounded(name, value),  # noqa: ARG005 - nh3's signature
    filter_style_properties={"text-align"},
    url_schemes={"http", "https", "mailto"},
    url_relative="deny",
    link_rel="noopener noreferrer nofollow",
    set_tag_attribute_values={"a": {"target": "_blank"}},
)
# For files. A sign counts as mark-up only behind an even number of backslashes.
_ACTIVE = re.compile(
    r"""(?<!\\)(\\*+)(
        !(?=\[)(?!\[\]\(figure-\d+\))                     # a picture, but for the places of those on paper
        | <(?=[A-Za-z/!?])(?!/?(?:table|caption|thead|tbody|tfoot|tr|th|td|br|b|i|u|em|strong|sub|sup)
            (?:\s+(?:colspan|rowspan)=["']?\d{1,3}["']?){0,2}\s{0,9}/?>)
        | \](?=\(\s*(?!https?://|mailto:|\#|figure-\d))     # a link to anywhere else
        | \](?=:\s*(?!https?://|mailto:))
    )""",
    re.VERBOSE | re.IGNORECASE,
)


def html(markdown: str) -> str:
    """The Markdown as HTML that any page may contain."""
    if len(markdown) > _LONGEST:
        return f"<pre>{nh3.clean_text(markdown)}</pre>"
    return _CLEANER.clean(_PARSER.render(markdown))


def inert(markdown: str) -> str:
    """The Markdown with everything escaped that a viewer of files would fetch, run or lead elsewhere."""
    return _ACTIVE.sub(lambda found: _escaped(found[1], found[2]), markdown)


def _escaped(before: str, sign: str) -> str:
    if sign == "<":  # a backslash would not count where a line before is HTML
        return before[: len(before) // 2 * 2] + "&lt;"
    return f"{before}{sign}" if len(before) % 2 else f"{before}\\{sign}"


def _bounded(name: str, value: str) -> str | None:
    if name not in ("colspan", "rowspan", "start"):
        return value
    return value if _SMALL.fullmatch(value) and int(value) <= _MOST_SPANNED else None


def _words(
    _renderer: RendererHTML, tokens: Sequence[Token], place: int, _options: OptionsDict, _env: EnvType
) -> str:
    """What a picture is said to show; the picture itself stands on the page beside it."""
    return nh3.clean_text(tokens[place].content)


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": True}).enable("table")
    parser.add_render_rule("image", _words)
    return parser


_PARSER = _parser()
