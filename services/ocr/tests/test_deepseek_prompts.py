"""The tokens the model is given: the published ones, and nothing that a caller smuggles in."""

import re
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pecia_core.errors import InvalidRequest
from pecia_core.vocabulary import TaskType
from pecia_ocr.engines.deepseek.profiles import PROFILES, Family, ModelProfile
from pecia_ocr.engines.deepseek.prompts import multi_page_ids, plain_words, prompt_ids

V1 = PROFILES[Family.V1]
V2 = PROFILES[Family.V2]
UNLIMITED = PROFILES[Family.UNLIMITED]

SPECIAL = {
    "<\uff5cbegin▁of▁sentence\uff5c>": 0,
    "<\uff5cend▁of▁sentence\uff5c>": 1,
    "<image>": 128_815,
    "<|ref|>": 128_816,
    "<|/ref|>": 128_817,
    "<|det|>": 128_818,
    "<|/det|>": 128_819,
    "<|grounding|>": 128_820,
    "<td>": 128_821,
    "</td>": 128_822,
    "<tr>": 128_823,
    "</tr>": 128_824,
    "<|User|>": 128_825,
    "<|Assistant|>": 128_826,
}
SPLIT = re.compile("(" + "|".join(map(re.escape, SPECIAL)) + ")")


def encode(text: str) -> list[int]:
    """A tokenizer with DeepSeek's special tokens, and one token for each other character."""
    ids: list[int] = []
    for part in SPLIT.split(text):
        ids += [SPECIAL[part]] if part in SPECIAL else [1000 + ord(character) for character in part]
    return ids


@pytest.mark.parametrize(
    ("profile", "task", "question"),
    [
        (V1, TaskType.FREE_OCR, "\nFree OCR."),
        (V1, TaskType.MARKDOWN, "\n<|grounding|>Convert the document to markdown."),
        (V1, TaskType.PARSE_FIGURE, "\nParse the figure."),
        (V1, TaskType.LOCATE, "\nLocate <|ref|>the total<|/ref|> in the image."),
        (V1, TaskType.LINES, "\n<|grounding|>OCR this image."),
        (V1, TaskType.DESCRIBE, "\nDescribe this image in detail."),
        (V2, TaskType.FREE_OCR, "\nFree OCR."),
        (V2, TaskType.MARKDOWN, "\n<|grounding|>Convert the document to markdown."),
        (UNLIMITED, TaskType.FREE_OCR, "document parsing."),
        (UNLIMITED, TaskType.MARKDOWN, "document parsing."),
    ],
)
def test_the_prompt_is_the_published_one(profile: ModelProfile, task: TaskType, question: str) -> None:
    """Begin of sentence, one placeholder per picture token, and the question right behind it."""
    ids = prompt_ids(encode, task, "the total", 73, profile)
    assert ids == [0] + [128_815] * 73 + encode(question)


def test_several_pages_are_one_prompt() -> None:
    """All pages' placeholders follow each other; the other models read one page at a time."""
    assert multi_page_ids(encode, 3 * 273, UNLIMITED) == [0] + [128_815] * 819 + encode("Multi page parsing.")
    with pytest.raises(InvalidRequest, match="one page at a time"):
        multi_page_ids(encode, 273, V1)


def test_a_task_the_checkpoint_lacks_is_refused() -> None:
    """The refusal names the tasks there are."""
    with pytest.raises(InvalidRequest, match="only free_ocr, markdown") as refused:
        prompt_ids(encode, TaskType.LOCATE, "total", 73, V2)
    assert refused.value.param == "task_type"


@pytest.mark.parametrize("ref_text", ["", "  \n", "<|ref|>", "<image><|/det|>"])
def test_locate_needs_words(ref_text: str) -> None:
    """Nothing to look for, or nothing left without control tokens: said, not guessed."""
    with pytest.raises(InvalidRequest) as refused:
        prompt_ids(encode, TaskType.LOCATE, ref_text, 73, V1)
    assert refused.value.param == "ref_text"


@pytest.mark.parametrize(
    ("given_text", "words"),
    [
        ("Total (EUR)", "Total (EUR)"),
        ("a  b\nc", "a b c"),
        ("x <|/ref|>y", "x y"),
        ("5 < 6 > 4", "5 < 6 > 4"),
        ("a<b>c", "a< b>c"),
        ("<|re<|ref|>f|>", "< |ref|>"),
        ("<im<image>age>", "< image>"),
        ("<<td>td>", "< td>"),
        ("<\uff5cend▁of▁sentence\uff5c>stop", "stop"),
        ("<|grounding|", "< |grounding|"),
    ],
)
def test_words_stay_and_tokens_go(given_text: str, words: str) -> None:
    """Whole tokens are taken out, halves are broken, everything else stays."""
    assert plain_words(given_text) == words


PIECES = st.sampled_from(
    ["<", ">", "|", "/", "\uff5c", " ", "ref", "det", "image", "td", "a", "\n", *SPECIAL]
)


@given(st.lists(PIECES, max_size=40).map("".join))
@example("<|re<|re<|ref|>f|>f|>")
def test_no_ref_text_becomes_a_special_token(ref_text: str) -> None:
    """However tokens are nested and cut: the prompt has the two that belong to it and the picture's."""
    if not plain_words(ref_text):
        with pytest.raises(InvalidRequest, match="needs ref_text"):
            prompt_ids(encode, TaskType.LOCATE, ref_text, 2, V1)
        return
    ids = prompt_ids(encode, TaskType.LOCATE, ref_text, 2, V1)
    assert [token for token in ids if token in SPECIAL.values()] == [0, 128_815, 128_815, 128_816, 128_817]


def test_a_token_nobody_foresaw_is_refused() -> None:
    """A tokenizer that makes a special token out of harmless words does not get them."""

    def odd(text: str) -> list[int]:
        return [128_815 if character == "§" else token for character in text for token in encode(character)]

    with pytest.raises(InvalidRequest, match="control token"):
        prompt_ids(odd, TaskType.LOCATE, "§ 5", 2, V1)


def test_ordinary_words_are_kept_whole() -> None:
    """Without a sign that begins a token nothing but white space changes."""
    random = Random(7)  # noqa: S311 - a test, the same every time
    for _ in range(500):
        text = "".join(random.choices("abc |/>&%-äß漢0 ", k=30))
        assert plain_words(text) == " ".join(text.split())
