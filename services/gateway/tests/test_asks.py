"""Requests in OpenAI's words, understood."""

from typing import Any

import pytest
from pecia_core.errors import InvalidRequest
from pecia_core.vocabulary import ModelSize, Priority, TaskType
from pecia_gateway.asks import Ask, chat_ask, completion_ask

URL = "data:image/png;base64,AAAA"
PART = {"type": "image_url", "image_url": {"url": URL}}


def ask(*parts: dict[str, Any] | str, **fields: Any) -> Ask:
    """A chat request with these parts in its one user turn."""
    content = [{"type": "text", "text": part} if isinstance(part, str) else part for part in parts or (PART,)]
    return chat_ask({"messages": [{"role": "user", "content": content}], **fields})


def test_defaults() -> None:
    """A request with nothing but a picture reads its text with the best engine, at temperature 0."""
    asked = ask()
    assert (asked.model, asked.options.model, asked.options.task_type) == ("auto", "auto", TaskType.FREE_OCR)
    assert asked.options.sampling.temperature == 0.0
    assert (asked.choices, asked.stream, asked.as_json, asked.warnings) == (1, False, False, ())


def test_the_settings_name_the_model_of_requests_that_name_none() -> None:
    """The default model is the operator's choice; a named one wins, null does not."""
    body = {"messages": [{"role": "user", "content": [PART]}]}
    assert chat_ask(body, "tesseract").options.model == "tesseract"
    assert chat_ask({**body, "model": "rapid"}, "tesseract").options.model == "rapid"
    assert chat_ask({**body, "model": None}, "tesseract").options.model == "tesseract"


@pytest.mark.parametrize(
    "fields",
    [
        {"model_size": "Base", "task_type": "markdown"},
        {"extra_body": {"model_size": "Base", "task_type": "markdown"}},
        {"model_size": "BASE", "extra_body": {"model_size": "tiny", "task_type": "Markdown"}},
        {"model_size": None, "extra_body": {"model_size": "base", "task_type": "markdown"}},
    ],
)
def test_own_fields_come_merged_or_literal(fields: dict[str, Any]) -> None:
    """extra_body may be merged into the top level or literal; the top level wins and null is absent."""
    asked = ask(**fields)
    assert (asked.options.model_size, asked.options.task_type) == (ModelSize.BASE, TaskType.MARKDOWN)


def test_unknown_keys_are_told_and_ignored() -> None:
    """What nobody knows gives a warning; what OpenAI's clients send anyway does not."""
    asked = ask(colour="red", store=True, reasoning_effort="low", extra_body={"shade": 1})
    assert [(one.code, one.message.split()[0]) for one in asked.warnings] == [
        ("unknown_parameter", "colour"),
        ("unknown_parameter", "shade"),
    ]


@pytest.mark.parametrize(
    ("part", "param"),
    [
        (PART, "messages[0].content[0].image_url.url"),
        ({"type": "image_url", "image_url": URL}, "messages[0].content[0].image_url"),
        ({"type": "input_image", "image_url": URL}, "messages[0].content[0].image_url"),
        ({"type": "file", "file": {"file_data": URL}}, "messages[0].content[0].file.file_data"),
        ({"type": "input_file", "file_data": URL}, "messages[0].content[0].file_data"),
    ],
)
def test_pictures_come_in_every_spelling(part: dict[str, Any], param: str) -> None:
    """Objects, strings, files and the Responses API's names all give the same picture."""
    (source,) = ask(part).sources
    assert (source.url, source.param) == (URL, param)


def test_bare_base64_of_a_file_becomes_a_data_url() -> None:
    """OpenAI's reference says base64 where its clients send a data URL."""
    (source,) = ask({"type": "file", "file": {"file_data": "JVBERi0=", "filename": "a.pdf"}}).sources
    assert source.url == "data:;base64,JVBERi0="


def test_the_last_user_turn_counts() -> None:
    """Its text chooses the task; a follow-up without pictures is about the ones sent before."""
    messages = [
        {"role": "system", "content": "Convert the document to markdown."},
        {"role": "user", "content": [{"type": "text", "text": "Free OCR."}, PART]},
        {"role": "assistant", "content": "hello"},
        {"role": "user", "content": "Parse the figure."},
    ]
    asked = chat_ask({"messages": messages})
    assert asked.options.task_type is TaskType.PARSE_FIGURE
    assert [source.param for source in asked.sources] == ["messages[1].content[1].image_url.url"]


def test_task_type_wins_over_a_known_prompt() -> None:
    """A field says it more clearly than a prompt."""
    assert ask("Parse the figure.", PART, task_type="lines").options.task_type is TaskType.LINES


def test_ref_text_loses_its_control_tokens() -> None:
    """The caller's words cannot speak the model's own language."""
    asked = ask(task_type="locate", ref_text="<|det|>total<|/ref|>")
    assert asked.options.ref_text == "total"


@pytest.mark.parametrize(
    ("fields", "size"),
    [
        ({"model": "deepseek-ocr:tiny"}, ModelSize.TINY),
        ({"model": "deepseek-ocr:Gundam"}, ModelSize.GUNDAM),
        ({"model": "deepseek-ocr:tiny", "model_size": "large"}, ModelSize.LARGE),
        (
            {"mm_processor_kwargs": {"base_size": 1024, "image_size": 640, "crop_mode": True}},
            ModelSize.GUNDAM,
        ),
        ({"mm_processor_kwargs": {"crop_mode": True}}, ModelSize.GUNDAM),
        ({"base_size": 512, "image_size": 512, "crop_mode": False}, ModelSize.TINY),
        ({"image_size": 1280}, ModelSize.LARGE),
        ({"mm_processor_kwargs": {"num_crops": 4}}, None),
        ({}, None),
    ],
)
def test_size_has_many_names(fields: dict[str, Any], size: ModelSize | None) -> None:
    """A field, a model alias, vLLM's keywords and DeepSeek's pixels all name a size."""
    asked = ask(**fields)
    assert asked.options.model_size is size
    assert ":" not in asked.options.model


@pytest.mark.parametrize(
    ("detail", "field", "size"),
    [
        ("low", None, ModelSize.TINY),
        ("high", None, ModelSize.GUNDAM),
        ("auto", None, None),
        ("low", "base", ModelSize.BASE),
    ],
)
def test_detail_is_a_size_of_one_picture(detail: str, field: str | None, size: ModelSize | None) -> None:
    """A size in the request wins over the picture's own."""
    asked = ask({"type": "image_url", "image_url": {"url": URL, "detail": detail}}, model_size=field)
    assert asked.options_for(asked.sources[0], 3).model_size is size
    assert asked.options_for(asked.sources[0], 3).page_index == 3


def test_max_completion_tokens_wins() -> None:
    """The newer name of the limit counts when both are there."""
    assert ask(max_tokens=5, max_completion_tokens=7).options.sampling.max_tokens == 7
    assert ask(max_tokens=5).options.sampling.max_tokens == 5


@pytest.mark.parametrize(
    ("tier", "priority"),
    [
        ("priority", Priority.PRIORITY),
        ("flex", Priority.FLEX),
        ("auto", Priority.DEFAULT),
        (None, Priority.DEFAULT),
    ],
)
def test_service_tier_is_a_queue_class(tier: str | None, priority: Priority) -> None:
    """OpenAI's tiers become ours."""
    assert ask(service_tier=tier).options.priority is priority


@pytest.mark.parametrize("languages", [["id", "en"], "id,en", "id+en", " id , en "])
def test_languages_come_as_a_list_or_joined(languages: list[str] | str) -> None:
    """Both spellings are common."""
    assert ask(languages=languages).options.languages == ("id", "en")


def test_json_object_is_honoured() -> None:
    """The caller wants pages as JSON."""
    assert ask(response_format={"type": "json_object"}).as_json
    assert not ask(response_format={"type": "text"}).as_json


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": "Free OCR.", "image": URL}, "image"),
        ({"prompt": "Free OCR.", "image": {"url": URL}}, "image.url"),
        ({"prompt": ["Free OCR."], "image_url": URL}, "image_url"),
        ({"prompt": f"<image>\n{URL} Free OCR."}, "prompt"),
    ],
)
def test_completions_take_a_picture_beside_or_inside_the_prompt(fields: dict[str, Any], param: str) -> None:
    """The older surface has no message parts, so the picture comes in one of these ways."""
    asked = completion_ask(fields)
    assert [(source.url, source.param) for source in asked.sources] == [(URL, param)]
    assert asked.options.task_type is TaskType.FREE_OCR


def test_a_prompt_around_a_data_url_still_chooses_the_task() -> None:
    """The URL is taken out before the prompt is looked at."""
    assert completion_ask({"prompt": f"{URL}\nParse the figure."}).options.task_type is TaskType.PARSE_FIGURE


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"image": URL}, "prompt"),
        ({"prompt": "Free OCR."}, "image"),
        ({"prompt": ["a", "b"], "image": URL}, "prompt"),
        ({"prompt": "a", "image": URL, "echo": True}, "echo"),
        ({"prompt": "a", "image": URL, "suffix": "x"}, "suffix"),
        ({"prompt": "a", "image": URL, "logprobs": 3}, "logprobs"),
    ],
)
def test_completions_refuse_what_they_cannot_do(fields: dict[str, Any], param: str) -> None:
    """The older surface names the field at fault as well."""
    with pytest.raises(InvalidRequest) as caught:
        completion_ask(fields)
    assert caught.value.param == param
