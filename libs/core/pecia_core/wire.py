"""The document model to and from the proto contract, both ways. The only translator."""

from pecia.ocr.v1 import document_pb2, ocr_pb2

from pecia_core import recognition as said
from pecia_core.document import Block, Line, Page, Word
from pecia_core.geometry import Point, Polygon
from pecia_core.vocabulary import BlockKind, FinishReason, ModelSize, Priority, TaskType

_TASKS = {task: ocr_pb2.TaskType.Value(f"TASK_TYPE_{task.name}") for task in TaskType}
_SIZES = {size: ocr_pb2.ModelSize.Value(f"MODEL_SIZE_{size.name}") for size in ModelSize}
_PRIORITIES = {priority: ocr_pb2.Priority.Value(f"PRIORITY_{priority.name}") for priority in Priority}
_FINISHES = {reason: ocr_pb2.FinishReason.Value(f"FINISH_REASON_{reason.name}") for reason in FinishReason}
_KINDS = {kind: document_pb2.BlockKind.Value(f"BLOCK_KIND_{kind.name}") for kind in BlockKind}
_TASK_OF = {value: task for task, value in _TASKS.items()}
_SIZE_OF = {value: size for size, value in _SIZES.items()}
_PRIORITY_OF = {value: priority for priority, value in _PRIORITIES.items()}
_FINISH_OF = {value: reason for reason, value in _FINISHES.items()}
_KIND_OF = {value: kind for kind, value in _KINDS.items()}


def task_to_proto(task: TaskType) -> "ocr_pb2.TaskType.ValueType":
    """The contract's word for a task."""
    return _TASKS[task]


def size_to_proto(size: ModelSize) -> "ocr_pb2.ModelSize.ValueType":
    """The contract's word for a size."""
    return _SIZES[size]


def task_from_proto(value: int) -> TaskType:
    """Unspecified and unknown tasks are free_ocr."""
    return _TASK_OF.get(value, TaskType.FREE_OCR)  # type: ignore[call-overload, no-any-return]


def size_from_proto(value: int) -> ModelSize | None:
    """None = the engine's default."""
    return _SIZE_OF.get(value)  # type: ignore[call-overload, no-any-return]


def polygon_to_proto(polygon: Polygon) -> document_pb2.Polygon:
    """Points in the same order."""
    return document_pb2.Polygon(points=[document_pb2.Point(x=point.x, y=point.y) for point in polygon.points])


def polygon_from_proto(message: document_pb2.Polygon) -> Polygon:
    """Points in the same order."""
    return Polygon(tuple(Point(point.x, point.y) for point in message.points))


def _confidence(message: document_pb2.Word | document_pb2.Line | document_pb2.Block) -> float | None:
    return min(max(message.confidence, 0.0), 1.0) if message.HasField("confidence") else None


def _word_to_proto(word: Word) -> document_pb2.Word:
    return document_pb2.Word(
        text=word.text, polygon=polygon_to_proto(word.polygon), confidence=word.confidence
    )


def _word_from_proto(message: document_pb2.Word) -> Word:
    return Word(message.text, polygon_from_proto(message.polygon), _confidence(message))


def line_to_proto(line: Line) -> document_pb2.Line:
    """One line with its words."""
    return document_pb2.Line(
        text=line.text,
        polygon=polygon_to_proto(line.polygon),
        confidence=line.confidence,
        words=map(_word_to_proto, line.words),
        row=line.row,
    )


def line_from_proto(message: document_pb2.Line) -> Line:
    """One line with its words."""
    return Line(
        message.text,
        polygon_from_proto(message.polygon),
        _confidence(message),
        tuple(map(_word_from_proto, message.words)),
        message.row,
    )


def block_to_proto(block: Block) -> document_pb2.Block:
    """One block with its lines."""
    return document_pb2.Block(
        kind=_KINDS[block.kind],
        polygon=polygon_to_proto(block.polygon),
        lines=map(line_to_proto, block.lines),
        reading_order=block.reading_order,
        confidence=block.confidence,
        content=block.content,
        label=block.label,
    )


def block_from_proto(message: document_pb2.Block) -> Block:
    """A kind this version does not know is a paragraph."""
    return Block(
        kind=_KIND_OF.get(message.kind, BlockKind.PARAGRAPH),
        polygon=polygon_from_proto(message.polygon),
        lines=tuple(map(line_from_proto, message.lines)),
        reading_order=message.reading_order,
        confidence=_confidence(message),
        content=message.content,
        label=message.label,
    )


def page_to_proto(page: Page) -> document_pb2.Page:
    """One page with its blocks."""
    return document_pb2.Page(
        index=page.index,
        width=page.width,
        height=page.height,
        blocks=map(block_to_proto, page.blocks),
        rotation=page.rotation,
    )


def page_from_proto(message: document_pb2.Page) -> Page:
    """One page with its blocks."""
    return Page(
        width=message.width,
        height=message.height,
        blocks=tuple(map(block_from_proto, message.blocks)),
        index=message.index,
        rotation=message.rotation,
    )


def options_to_proto(options: said.RecognizeOptions) -> ocr_pb2.RecognizeOptions:
    """What the caller wants."""
    sampling = options.sampling
    return ocr_pb2.RecognizeOptions(
        model=options.model,
        task_type=_TASKS[options.task_type],
        model_size=_SIZES[options.model_size] if options.model_size else ocr_pb2.MODEL_SIZE_UNSPECIFIED,
        ref_text=options.ref_text,
        languages=options.languages,
        priority=_PRIORITIES[options.priority],
        page_index=options.page_index,
        annotate=options.annotate,
        figures=options.figures,
        sampling=ocr_pb2.Sampling(
            temperature=sampling.temperature,
            max_tokens=sampling.max_tokens,
            top_p=sampling.top_p,
            seed=sampling.seed,
            stop=sampling.stop,
            repetition_penalty=sampling.repetition_penalty,
        ),
    )


def options_from_proto(message: ocr_pb2.RecognizeOptions) -> said.RecognizeOptions:
    """An empty model is `auto`; unspecified words are the defaults."""
    return said.RecognizeOptions(
        model=message.model or "auto",
        task_type=task_from_proto(message.task_type),
        model_size=size_from_proto(message.model_size),
        ref_text=message.ref_text,
        languages=tuple(message.languages),
        sampling=_sampling_from_proto(message.sampling),
        priority=_PRIORITY_OF.get(message.priority, Priority.DEFAULT),
        page_index=message.page_index,
        annotate=message.annotate,
        figures=message.figures,
    )


def _sampling_from_proto(message: ocr_pb2.Sampling) -> said.Sampling:
    return said.Sampling(
        temperature=message.temperature,
        max_tokens=message.max_tokens,
        top_p=message.top_p if message.HasField("top_p") else None,
        seed=message.seed if message.HasField("seed") else None,
        stop=tuple(message.stop),
        repetition_penalty=message.repetition_penalty if message.HasField("repetition_penalty") else None,
    )


def recognition_to_proto(recognition: said.Recognition) -> ocr_pb2.Recognition:
    """A finished page."""
    timings, usage = recognition.timings, recognition.usage
    return ocr_pb2.Recognition(
        page=page_to_proto(recognition.page),
        text=recognition.text,
        finish_reason=_FINISHES[recognition.finish_reason],
        engine=recognition.engine,
        model=recognition.model,
        fallback_from=recognition.fallback_from,
        attempts=recognition.attempts,
        warnings=[
            ocr_pb2.Warning(code=notice.code, message=notice.message) for notice in recognition.warnings
        ],
        timings=ocr_pb2.Timings(
            decode_ms=timings.decode_ms,
            queue_ms=timings.queue_ms,
            engine_ms=timings.engine_ms,
            total_ms=timings.total_ms,
        ),
        usage=ocr_pb2.Usage(
            prompt_tokens=usage.prompt_tokens,
            image_tokens=usage.image_tokens,
            completion_tokens=usage.completion_tokens,
        ),
        cached=recognition.cached,
        annotated_png=recognition.annotated_png,
        figures=[
            ocr_pb2.Figure(
                name=figure.name,
                block=figure.block,
                width=figure.width,
                height=figure.height,
                jpeg=figure.jpeg,
            )
            for figure in recognition.figures
        ],
        agreement=recognition.agreement,
    )


def recognition_from_proto(message: ocr_pb2.Recognition) -> said.Recognition:
    """A finished page."""
    timings, usage = message.timings, message.usage
    return said.Recognition(
        page=page_from_proto(message.page),
        text=message.text,
        engine=message.engine,
        model=message.model,
        finish_reason=_FINISH_OF.get(message.finish_reason, FinishReason.STOP),
        fallback_from=message.fallback_from,
        attempts=message.attempts,
        warnings=tuple(said.Notice(notice.code, notice.message) for notice in message.warnings),
        timings=said.Timings(timings.decode_ms, timings.queue_ms, timings.engine_ms, timings.total_ms),
        usage=said.Usage(usage.prompt_tokens, usage.image_tokens, usage.completion_tokens),
        cached=message.cached,
        annotated_png=message.annotated_png,
        figures=tuple(
            said.Figure(figure.name, figure.block, figure.width, figure.height, figure.jpeg)
            for figure in message.figures
        ),
        agreement=message.agreement if message.HasField("agreement") else None,
    )


def event_to_proto(event: said.Event) -> ocr_pb2.RecognizeStreamResponse:
    """One step of a page's life."""
    match event:
        case said.Started():
            started = ocr_pb2.Started(
                engine=event.engine, model=event.model, queue_ms=event.queue_ms, cached=event.cached
            )
            return ocr_pb2.RecognizeStreamResponse(started=started)
        case said.Delta():
            line = line_to_proto(event.line) if event.line else None
            return ocr_pb2.RecognizeStreamResponse(delta=ocr_pb2.Delta(text=event.text, line=line))
        case Block():
            return ocr_pb2.RecognizeStreamResponse(block=block_to_proto(event))
        case said.Recognition():
            return ocr_pb2.RecognizeStreamResponse(finished=recognition_to_proto(event))


def event_from_proto(message: ocr_pb2.RecognizeStreamResponse) -> said.Event | None:
    """None = an event of a newer contract, to be passed over."""
    match message.WhichOneof("event"):
        case "started":
            started = message.started
            return said.Started(started.engine, started.model, started.queue_ms, started.cached)
        case "delta":
            line = line_from_proto(message.delta.line) if message.delta.HasField("line") else None
            return said.Delta(message.delta.text, line)
        case "block":
            return block_from_proto(message.block)
        case "finished":
            return recognition_from_proto(message.finished)
        case _:
            return None
