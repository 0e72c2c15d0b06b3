"""The Streamlit page: a REST client like any customer. It knows no engine, no gRPC and no document model."""
