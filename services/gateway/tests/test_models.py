"""The names a caller may use."""

from typing import Any

from pecia_core.vocabulary import EngineName, EngineState, ModelSize
from pecia_dispatch.testing import ScriptedOcr, engine_description


async def test_list_has_openais_shape(gateway: Any) -> None:
    """Both addresses give the same list."""
    listed = (await gateway.client.get("/v1/models")).json()
    assert listed["object"] == "list"
    for model in listed["data"]:
        assert model["object"] == "model"
        assert model["owned_by"] == "pecia"
        assert isinstance(model["created"], int)
    assert (await gateway.client.get("/models")).json() == listed


async def test_fallback_makes_deepseek_names_usable(start: Any, gateway: Any) -> None:
    """While a CPU engine answers for DeepSeek-OCR its names are listed; with the setting off they are not."""
    ids = {model["id"] for model in (await gateway.client.get("/v1/models")).json()["data"]}
    sizes = {f"deepseek-ocr:{size}" for size in ModelSize}
    assert ids == {"auto", "rapid", "ppocr", "deepseek-ocr", *sizes}
    async with start(ScriptedOcr(), models={"gpu_autofallback": False}) as strict:
        ids = {model["id"] for model in (await strict.client.get("/v1/models")).json()["data"]}
    assert ids == {"auto", "rapid", "ppocr"}


async def test_engines_that_cannot_work_are_not_listed(start: Any) -> None:
    """A name in the list is a name that is answered, now or after loading."""
    engines = [
        engine_description(EngineName.DEEPSEEK, EngineState.LOADING, ("deepseek-ocr", "deepseek-ocr:tiny")),
        engine_description(EngineName.TESSERACT, EngineState.UNAVAILABLE, ("tesseract",)),
    ]
    async with start(ScriptedOcr(engines=engines)) as gateway:
        listed = (await gateway.client.get("/v1/models")).json()["data"]
    assert {(model["id"], model["engine"], model["state"]) for model in listed} == {
        ("auto", "deepseek", "loading"),
        ("deepseek-ocr", "deepseek", "loading"),
        ("deepseek-ocr:tiny", "deepseek", "loading"),
    }


async def test_one_model(gateway: Any) -> None:
    """Names with a colon are looked up like any other; unknown ones are told what there is."""
    assert (await gateway.client.get("/v1/models/rapid")).json()["engine"] == "rapid"
    assert (await gateway.client.get("/v1/models/deepseek-ocr:tiny")).json()["id"] == "deepseek-ocr:tiny"
    answer = await gateway.client.get("/v1/models/gpt-9")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")
    assert "rapid" in answer.json()["error"]["message"]
