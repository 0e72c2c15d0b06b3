"""Places of a kind."""

import pytest
from pecia_core.errors import Overloaded
from pecia_gateway.places import Places


def test_nobody_holds_more_than_his_share() -> None:
    """One tenant's places do not run out because another's did, until all are held."""
    places = Places("streams", each=2, together=3)
    with places.hold("a"), places.hold("a"):
        with pytest.raises(Overloaded, match="too many streams at once"), places.hold("a"):
            pass
        with places.hold("b"), pytest.raises(Overloaded) as refused, places.hold("c"):
            pass
        assert (refused.value.code, refused.value.retry_after) == ("rate_limit_exceeded", 5)
    with places.hold("a"), places.hold("c"), places.hold("c"):
        pass


def test_a_place_is_free_after_a_failure() -> None:
    """Whatever ended it; nothing is remembered of tenants without one."""
    places = Places("streams", each=1, together=1)
    with pytest.raises(ValueError, match="broken"), places.hold("a"):
        raise ValueError("broken")
    with places.hold("a"):
        pass
    assert not places._held
