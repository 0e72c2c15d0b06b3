"""How large the checkpoint is that reads: what is seen of 1,024 patches costs, what is written hardly."""

from pecia_ocr.engines.deepseek.testing import Dimensions

READER = Dimensions(
    hidden=128,
    heads=4,
    layers=3,
    mlp=256,
    expert=64,
    experts=4,
    chosen=2,
    shared=2,
    sam=48,
    sam_heads=1,
    sam_layers=2,
    # A window of 14 patches holds whole characters; the whole page is what the second encoder sees.
    sam_global=(),
    sam_out=64,
    sam_down=(96, 128),
    clip=128,
    clip_heads=4,
    clip_layers=2,
)
# For tests: learns nothing, steps in a fraction of a second.
TOY = Dimensions(sam=8, sam_heads=1, sam_layers=1, sam_global=(), sam_out=8, sam_down=(8, 32), clip_layers=1)
