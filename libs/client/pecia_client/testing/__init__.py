"""For tests: `gateway` is a stand-in that answers as told, `jobs` gives it jobs that go as the test says."""

from pecia_client.testing.gateway import Answer, Asked, FakeGateway, fake_gateway

__all__ = ["Answer", "Asked", "FakeGateway", "fake_gateway"]
