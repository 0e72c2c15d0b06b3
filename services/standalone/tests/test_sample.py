"""The self-check notices when nothing is read."""

import pytest
from pecia_client.testing import Answer, fake_gateway
from pecia_core.testing import sample_receipt
from pecia_standalone.sample import SelfCheckFailed, read_sample, share_found


def test_spaces_and_capitals_do_not_matter() -> None:
    """Engines differ in both."""
    assert share_found("Teh manis 18.000", "TEHMANIS\n18. 000") == 1.0
    assert share_found("Teh manis 3 18.000", "teh") == 0.25


def test_the_samples_words_pass() -> None:
    """A gateway that reads what is written passes."""
    text = "\n".join(sample_receipt()[1])
    with fake_gateway() as gateway:
        gateway.answer = lambda _: Answer.of({"choices": [{"message": {"content": text}}]})
        assert read_sample(gateway.url, None).found == 1.0


def test_other_words_do_not() -> None:
    """A gateway that answers something else fails, and what it answered is told."""
    with fake_gateway() as gateway:
        gateway.answer = lambda _: Answer.of({"choices": [{"message": {"content": "lorem"}}]})
        with pytest.raises(SelfCheckFailed, match="0% of the sample's words came back: 'lorem'"):
            read_sample(gateway.url, None)


def test_an_error_is_told_with_code_and_request_id() -> None:
    """What the gateway says about the failure is what the person reads."""
    with fake_gateway() as gateway:
        body = {"error": {"message": "No such key.", "code": "invalid_api_key"}}
        gateway.answer = lambda _: Answer.of(body, 401, x_request_id="r-1")
        with pytest.raises(SelfCheckFailed, match=r"No such key\. \(invalid_api_key, request r-1\)"):
            read_sample(gateway.url, "wrong")
