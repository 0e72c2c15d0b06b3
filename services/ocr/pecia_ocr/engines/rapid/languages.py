"""Which languages the models read, and the script a caller means by naming one."""

from collections.abc import Sequence

from pecia_core.errors import InvalidRequest

from pecia_ocr.engines.rapid.head import Script

# Every letter of these is in the model's alphabet. Vietnamese, Greek and Cyrillic ones are not.
_LATIN = (
    *("af", "az", "ca", "cs", "cy", "da", "de", "en", "es", "et", "eu", "fi", "fr", "ga", "hr", "hu"),
    *("id", "is", "it", "la", "lt", "lv", "ms", "mt", "nl", "no", "pl", "pt", "ro", "sk", "sl", "sq"),
    *("sv", "sw", "tl", "tr"),
)
_OTHERS = ("ja", "zh")
LANGUAGES = (*_LATIN, *_OTHERS)

# Tesseract's and ISO 639-2's names, and what people write.
_OTHER_NAMES = {
    "de": "deu ger",
    "en": "eng",
    "es": "spa",
    "fr": "fra fre",
    "id": "ind",
    "it": "ita",
    "ja": "jpn",
    "ms": "msa may zsm",
    "nl": "nld dut",
    "pt": "por",
    "zh": "zho chi ch chi_sim chi_tra",
}
_NAMES = {other: name for name, others in _OTHER_NAMES.items() for other in others.split()}


def script_for(languages: Sequence[str], default: Script) -> Script:
    """The script to read; `default` where no language is named.

    Raises:
        InvalidRequest: a language whose letters the model does not know.
    """
    names = [_name(language) for language in languages]
    for given, name in zip(languages, names, strict=True):
        if name not in LANGUAGES:
            raise InvalidRequest(
                f"The rapid engine does not read the language {given!r}, only {', '.join(LANGUAGES)}.",
                code="unsupported_value",
                param="languages",
            )
    if not names:
        return default
    return Script.ALL if set(names) & set(_OTHERS) else Script.LATIN


def _name(language: str) -> str:
    """`zh-Hans`, `zh_CN` and `ZH` are `zh`."""
    folded = language.casefold()
    return _NAMES.get(folded) or folded.replace("_", "-").split("-")[0]
