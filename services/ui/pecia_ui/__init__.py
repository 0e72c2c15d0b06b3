"""The Streamlit page: a REST client like any customer."""
