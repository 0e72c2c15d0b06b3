"""The gRPC service that owns the OCR engines: interceptors -> servicer -> admission -> pipeline -> engine."""
