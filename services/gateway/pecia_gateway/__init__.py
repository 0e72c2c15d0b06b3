"""The REST gateway: routes -> auth -> admission -> intake -> ocr_client -> rendering."""
