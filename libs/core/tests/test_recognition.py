"""What is asked and answered starts from defaults that ask for nothing special."""

from dataclasses import fields

from pecia_core.document import Page
from pecia_core.recognition import Recognition, RecognizeOptions, Timings, Usage
from pecia_core.vocabulary import FinishReason, Priority, TaskType


def test_no_options_mean_plain_text_by_the_best_engine() -> None:
    """A caller who says nothing gets free OCR from whatever is ready."""
    options = RecognizeOptions()
    assert (options.model, options.task_type, options.priority) == (
        "auto",
        TaskType.FREE_OCR,
        Priority.DEFAULT,
    )
    assert options.model_size is None
    assert options.languages == ()


def test_no_sampling_is_greedy_and_unbounded_by_the_caller() -> None:
    """Without a wish, tokens are chosen greedily and the engine's own bound holds."""
    sampling = RecognizeOptions().sampling
    assert (sampling.temperature, sampling.max_tokens, sampling.stop) == (0.0, 0, ())
    assert (sampling.top_p, sampling.seed, sampling.repetition_penalty) == (None, None, None)


def test_a_recognition_is_complete_unless_it_says_otherwise() -> None:
    """Fallbacks, warnings and early ends are said, never implied."""
    recognition = Recognition(Page(1, 1), "text", "rapid")
    assert recognition.finish_reason is FinishReason.STOP
    assert (recognition.fallback_from, recognition.attempts, recognition.warnings) == ("", 1, ())


def test_nothing_measured_is_zero() -> None:
    """Timings and usage start at zero, in every field."""
    assert {getattr(Timings(), field.name) for field in fields(Timings)} == {0.0}
    assert {getattr(Usage(), field.name) for field in fields(Usage)} == {0}
