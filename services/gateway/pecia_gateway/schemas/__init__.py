"""The bodies of requests and answers, as types: what /docs shows and what is checked."""
