"""What packing costs in accuracy: the same pictures read from exact pixels, and from unpacked ones."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from pecia_ocr.decoding import decode
from pecia_ocr.engines.base import Pixels
from PIL import Image

from benchmarks.handover.encodings import Encoding
from benchmarks.quality import dataset
from benchmarks.quality.scoring import Placed, Score, in_rows, score

EXACT = "exact pixels"
Reader = Callable[[Pixels], list[Placed]]


def measure(
    reader: Reader, encodings: Sequence[Encoding], folders: Sequence[Path], most_pixels: int
) -> dict[str, list[Score]]:
    """Encoding -> one score a picture, in the same order for all; larger pictures are left out."""
    lossy = [encoding for encoding in encodings if not encoding.exact]
    scores: dict[str, list[Score]] = {name: [] for name in (EXACT, *(one.name for one in lossy))}
    samples = [sample for folder in folders for sample in dataset.load(folder).samples]
    for sample in samples:
        picture = Image.fromarray(decode(sample.picture.read_bytes()))
        if picture.width * picture.height > most_pixels:
            continue
        scores[EXACT].append(_score(reader, sample, picture))
        for encoding in lossy:
            seen = encoding.unpack(encoding.pack(picture), picture.size)
            scores[encoding.name].append(_score(reader, sample, seen))
        wrong = ", ".join(f"{name} {found[-1].edits}" for name, found in scores.items())
        print(f"{sample.name}: wrong: {wrong}", flush=True)
    return scores


def _score(reader: Reader, sample: dataset.Sample, picture: Image.Image) -> Score:
    return score(sample.truth, in_rows(reader(np.asarray(picture))))
