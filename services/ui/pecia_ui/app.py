"""The page. Streamlit runs this file from top to bottom at every click."""

import streamlit as st

from pecia_ui.client import Gateway
from pecia_ui.settings import Settings
from pecia_ui.views import addresses, connection, head, history, manual, single
from pecia_ui.visit import Visit


def main() -> None:
    """Build what the page needs and hand it on."""
    st.set_page_config(
        page_title=head.TITLE,
        page_icon=head.ICON,
        layout="wide",
        initial_sidebar_state="collapsed",
        menu_items={},
    )
    settings = Settings()
    visit = Visit.of(st.session_state)
    gateway = Gateway(
        base=settings.api_base,
        key=connection.chosen_key(settings.api_key.get_secret_value()),
        timeout_s=settings.api_timeout_s,
        connect_timeout_s=settings.api_connect_timeout_s,
        tls=settings.trust(),
    )
    inventory = connection.inventory(visit, gateway)
    connection.show_address(inventory, gateway)
    head.show(inventory)
    threshold = settings.confidence_threshold
    match addresses.mode():
        case addresses.MANUAL:
            manual.show(visit, gateway, inventory, threshold)
        case addresses.HISTORY:
            history.show(visit, gateway, threshold)
        case _:
            limits = single.Limits(threshold, int(settings.max_upload_mb * 1024 * 1024))
            single.show(visit, gateway, inventory, limits)


main()
