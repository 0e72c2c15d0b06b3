"""One tenant's pictures fill no more than their share of the memory set aside for all."""

import pytest
from pecia_core.errors import Overloaded
from pecia_core.recognition import RecognizeOptions
from pecia_ocr.admission import Admission
from pecia_ocr.scheduling.page import PageInput
from pecia_ocr.settings import LimitSettings


def page(tenant: str, size: int) -> PageInput:
    """A picture of so many bytes."""
    return PageInput(bytes(size), RecognizeOptions(), tenant=tenant)


def test_a_tenant_who_fills_memory_is_refused_and_another_is_served() -> None:
    """It says when to come back; what has been read makes room again."""
    admission = Admission(LimitSettings(max_waiting_bytes=100, tenant_waiting_bytes=75))
    with admission.hold(page("greedy", 75)):
        with pytest.raises(Overloaded, match="one tenant") as refused, admission.hold(page("greedy", 1)):
            pass
        assert refused.value.retry_after == 1
        with (
            admission.hold(page("modest", 25)),
            pytest.raises(Overloaded, match="the memory set aside for them"),
            admission.hold(page("third", 1)),
        ):
            pass
    with admission.hold(page("greedy", 75)):
        pass
    assert admission._held.data_bytes == {}
