"""The sidebar: the gateway's state and the visitor's API key."""

import asyncio
import time
from typing import Literal

import streamlit as st

from pecia_ui.client import Gateway
from pecia_ui.errors import UiError
from pecia_ui.views.escaping import plain
from pecia_ui.visit import Inventory, Visit

_FRESH_S = 30.0
_RETRY_S = 5.0


def chosen_key(default: str) -> str:
    """The key the visitor typed, else the page's own."""
    with st.sidebar:
        st.subheader("Connection")
        typed = st.text_input(
            "API key",
            type="password",
            key="api_key",
            autocomplete="off",
            placeholder="optional",
            help="Only needed where the gateway asks for one. It stays in this browser session.",
        )
    return typed.strip() or default


def inventory(visit: Visit, gateway: Gateway) -> Inventory:
    """The gateway's models; asked again after half a minute, sooner when it did not answer."""
    asked_as = (gateway.base, gateway.key)
    known = visit.inventory
    if known is None or not known.is_fresh(asked_as):
        known = visit.inventory = _asked(gateway, asked_as)
    return known


def _asked(gateway: Gateway, asked_as: tuple[str, str]) -> Inventory:
    try:
        cards = tuple(asyncio.run(gateway.models()))
    except UiError as error:
        return Inventory(asked_as, time.monotonic() + _RETRY_S, error=error)
    wait = _FRESH_S if any(card.state == "ready" for card in cards) else _RETRY_S
    return Inventory(asked_as, time.monotonic() + wait, cards)


def show_badge(known: Inventory) -> None:
    """One word that says whether a reading can succeed now."""
    icon, colour, text = _status(known)
    st.badge(text, icon=icon, color=colour)


def show_address(known: Inventory, gateway: Gateway) -> None:
    """Which gateway this page asks, and why it cannot."""
    with st.sidebar:
        st.caption(f"Gateway: `{gateway.base}`")
        if known.error is not None:
            st.caption(plain(known.error.message))


def _status(known: Inventory) -> tuple[str, Literal["red", "green", "orange"], str]:
    if known.error is not None:
        return ":material/cloud_off:", "red", known.error.title.partition(".")[0]
    engines = {card.engine for card in known.cards if card.state == "ready" and card.engine}
    if engines:
        return ":material/check_circle:", "green", "Ready: " + ", ".join(sorted(engines))
    return ":material/hourglass_top:", "orange", "No engine is ready yet"
