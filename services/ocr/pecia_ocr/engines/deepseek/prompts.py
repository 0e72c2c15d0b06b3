"""The tokens before the answer: begin of sentence, the picture's placeholders, then the question.

There is no chat template: the published code strips the prompt and puts the picture where `<image>`
stands, at the beginning.
"""

import re
from collections.abc import Callable

from pecia_core.errors import InvalidRequest
from pecia_core.vocabulary import TaskType

from pecia_ocr.engines.deepseek.profiles import IMAGE_MARK, REF_TEXT_MARK, ModelProfile, TaskPrompt

Encode = Callable[[str], list[int]]
"""Text to token ids, nothing added before or after; it may turn the name of a special token into its id."""

# Every special token of these models begins with "<", never with a space behind it.
_CONTROL = re.compile("</?(?:image|td|tr)>|<[|\uff5c][^<>]*[|\uff5c]>")
_OPENING = re.compile(r"<(?=\S)")
_SPECIAL = (
    *("<image>", "<|ref|>", "<|/ref|>", "<|det|>", "<|/det|>", "<|grounding|>", "<|User|>", "<|Assistant|>"),
    *("<td>", "</td>", "<tr>", "</tr>"),
)


def prompt_ids(
    encode: Encode, task: TaskType, ref_text: str, image_tokens: int, profile: ModelProfile
) -> list[int]:
    """What the model is given for one page.

    Args:
        encode: of the checkpoint's tokenizer.
        task: one of the profile's.
        ref_text: what locate looks for; other tasks pass over it. Control tokens in it are taken out.
        image_tokens: placeholders of the page, see `views.ViewPlan`.
        profile: of the checkpoint.

    Raises:
        InvalidRequest: a task the checkpoint was not trained for, or a ref_text with no words in it.
    """
    prompt = profile.tasks.get(task)
    if prompt is None:
        raise InvalidRequest(
            f"The model {profile.family} does not do {task.value}, only {', '.join(profile.tasks)}.",
            code="unsupported_value",
            param="task_type",
        )
    words = plain_words(ref_text) if REF_TEXT_MARK in prompt.text else ""
    if REF_TEXT_MARK in prompt.text and not words:
        raise InvalidRequest(
            f"The task {task.value} needs ref_text: the words to look for.",
            code="missing_required_parameter",
            param="ref_text",
        )
    question = _question(prompt)
    ids = encode(question.replace(REF_TEXT_MARK, words))
    # The words were made harmless above; this is for a tokenizer that knows tokens we do not.
    if words and _specials(encode, ids, profile) != _specials(encode, encode(question), profile):
        raise InvalidRequest("ref_text holds a control token of the model; leave it out.", param="ref_text")
    return _given(ids, image_tokens, profile)


def multi_page_ids(encode: Encode, image_tokens: int, profile: ModelProfile) -> list[int]:
    """What the model is given for several pages at once, whose pictures follow each other.

    Args:
        encode: of the checkpoint's tokenizer.
        image_tokens: placeholders of all pages together.
        profile: of the checkpoint.

    Raises:
        InvalidRequest: the checkpoint reads one page at a time.
    """
    if profile.multi_page is None:
        raise InvalidRequest(
            f"The model {profile.family} reads one page at a time.", code="unsupported_value"
        )
    return _given(encode(_question(profile.multi_page)), image_tokens, profile)


def plain_words(text: str) -> str:
    """The text on one line, without control tokens and with nothing left that could become one."""
    without = _CONTROL.sub("", text)
    # What was taken out may have held two halves of another token apart. Adding a space makes no new one.
    return " ".join(_OPENING.sub("< ", without).split())


def _question(prompt: TaskPrompt) -> str:
    return prompt.text.removeprefix(IMAGE_MARK)


def _given(ids: list[int], image_tokens: int, profile: ModelProfile) -> list[int]:
    return [profile.bos_token_id, *[profile.image_token_id] * image_tokens, *ids]


def _specials(encode: Encode, ids: list[int], profile: ModelProfile) -> list[int]:
    """Those ids that stand for a special token."""
    alone = [encode(name) for name in _SPECIAL]
    special = {own[0] for own in alone if len(own) == 1}
    special |= {profile.image_token_id, profile.bos_token_id, profile.eos_token_id}
    return [token for token in ids if token in special]
