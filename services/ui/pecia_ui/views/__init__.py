"""What is on the screen, part by part. Only these modules draw with Streamlit."""
