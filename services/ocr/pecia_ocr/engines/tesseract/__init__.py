"""Tesseract, as the program the system has installed: one process per question, killed on cancel."""

from pecia_ocr.engines.tesseract.engine import TesseractEngine

__all__ = ["TesseractEngine"]
