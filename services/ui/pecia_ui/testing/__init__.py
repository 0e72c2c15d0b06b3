"""For tests of the page: `gateway` is a stand-in it can ask, `visitor` uses it as a person would."""
