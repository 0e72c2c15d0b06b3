"""The knobs of the engines: which run, with how many processes, and how they read."""

from pathlib import Path
from typing import Literal

from pecia_core.settings import NamedPath
from pydantic import BaseModel, Field, SecretStr


class EngineSettings(BaseModel):
    """Which engines run, and how many processes each has."""

    rapid: bool = Field(default=True, description="Run the PP-OCR engine.")
    rapid_workers: int = Field(0, ge=0, description="Processes; 0 = one per usable core.")
    rapid_threads: int = Field(1, ge=1, description="Threads of a process. One is fastest for many pages.")
    rapid_pages_per_worker: int = Field(
        2,
        ge=1,
        description="Pages a process reads in turns. Their lines share batches; more only wait longer.",
    )
    rapid_runtime: Literal["auto", "openvino", "onnxruntime"] = Field(
        "auto", description="What computes; auto = OpenVINO on x86, else onnxruntime."
    )
    rapid_precision: Literal["auto", "f32", "bf16"] = Field(
        "auto", description="Numbers it computes with; auto = bf16 where the CPU has it, else f32."
    )
    rapid_script: Literal["auto", "latin", "all"] = Field(
        "auto",
        description="Characters looked for where a caller names no language: Latin, and every script where "
        "Latin is not sure (auto); Latin alone; every script at each step (slower).",
    )
    rapid_max_resident_mb: int = Field(
        950,
        ge=256,
        description="Megabytes; a process that grows beyond it ends when its follower is ready.",
    )
    tesseract: bool = Field(default=True, description="Run Tesseract where it is installed.")
    tesseract_workers: int = Field(1, ge=0, description="Processes.")
    tesseract_languages: tuple[str, ...] = Field(("ind", "eng"), description="Tesseract language packs.")
    scripted: bool = Field(default=False, description="Run the scripted engine, for tests.")
    scripted_workers: int = Field(2, ge=1, description="Processes.")
    scripted_pages_per_worker: int = Field(1, ge=1, description="Pages a process reads side by side.")
    scripted_script: str = Field("", description="What the scripted engine answers; empty = its own script.")
    cancel_grace_s: float = Field(
        1.0, gt=0, description="Seconds a cancelled page may take to stop before its process is replaced."
    )
    exit_when_broken: bool = Field(
        default=False,
        description="End, with status 3, if no engine loads or one that has read is lost for good: the last "
        "line of the log says why, and whoever runs the process starts it anew.",
    )
    reload_patience_s: float = Field(
        10.0,
        ge=0,
        description="Seconds pages are let in while an engine's last process has ended and the next one "
        "loads; then the engine counts as loading, and others answer. PP-OCR is back in two.",
    )
    load_timeout_s: float = Field(
        900.0, gt=0, description="Seconds a model may take to load; a first start may fetch weights."
    )


class DeepseekSettings(BaseModel):
    """DeepSeek-OCR: here, where `MODEL_PATH` names its checkpoint, or on the server `server_url`."""

    server_url: str = Field(
        "",
        description="Address of a vLLM or SGLang server, or of any other with OpenAI's chat API, up to /v1; "
        "empty = the model runs here.",
    )
    server_profile: str = Field(
        "deepseek-ocr-vllm",
        description="What that server runs: deepseek-ocr-vllm, unlimited-ocr-vllm, plain (any model that "
        "reads pictures), or a TOML file like these.",
    )
    server_model: str = Field("", description="The server's name of the model; empty = the only one it has.")
    server_key: SecretStr | None = Field(None, description="Bearer key of that server.")
    server_silence_s: float = Field(
        120.0, gt=0, description="Seconds without a word after which a page on that server is given up."
    )

    device: Literal["auto", "cuda", "cpu"] = Field(
        "auto",
        description="Where it computes; auto = on a GPU, and on none where there is none. On CPUs it is for "
        "trying out: minutes a page.",
    )
    pages_at_once: int = Field(
        32, ge=1, le=256, description="Pages that share a decoding step. More wait; memory may allow fewer."
    )
    max_tokens: int = Field(
        4096, ge=16, description="Tokens of one page's answer at most, where a caller names no fewer."
    )
    text_every_ms: int = Field(
        50,
        ge=0,
        le=1000,
        description="Milliseconds between two pieces of a page's text, at least, where the model runs here; "
        "the first comes at once. Each piece is work for the ocr service and the gateway: 0 = as it comes.",
    )
    pages_together: int = Field(
        4,
        ge=1,
        le=64,
        description="Pages that a model which was taught to (Unlimited-OCR) is shown as one document, where "
        "a caller asks for that; more are read in groups. All of a group share one answer of MAX_TOKENS.",
    )
    memory_gb: float = Field(
        20.0,
        gt=0,
        description="GB of GPU memory taken at most, weights included: an L4 has 24, and 20 leave room for "
        "what others need.",
    )
    turn_pages: bool = Field(
        default=True,
        description="Have a CPU engine look which way up a page stands, and turn it for the model, which "
        "reads no page that lies on its side. Without a CPU engine, pages are read as they come.",
    )
    align_lines: bool = Field(
        default=False,
        description="Have a CPU engine read each page as well: lines of the model's text then have places, "
        "and as their confidence how far both agree. It costs what a page costs that engine.",
    )
    demo: bool = Field(
        default=False,
        description="Where torch is installed and neither MODEL_PATH nor a server is set, also serve the "
        "small checkpoint that comes along, as deepseek-ocr-demo: it reads short printed strings.",
    )
    demo_path: NamedPath = Field(
        Path(__file__).parent / "engines/deepseek/reader",
        json_schema_extra={"default_text": "`reader`, beside the engine's code"},
        description="Folder of that checkpoint; without one there is no such model.",
    )
    signing_key_file: NamedPath | None = Field(
        None,
        description="PEM public key (EC) of whoever may sign models: a checkpoint then needs a `model.sig` "
        "of OpenSSF Model Signing by that key over all its files (`python -m pecia_models sign`). "
        "Empty = what `sha256sums` in its folder says is checked, where there is one.",
    )
