"""What the intake stands between: the queue, the table, the bucket and the jobs; and who counts."""

from dataclasses import dataclass

from pecia_worker.intake.documents import Documents
from pecia_worker.intake.making import JobMaker
from pecia_worker.intake.metrics import IntakeMetrics
from pecia_worker.intake.originals import Originals
from pecia_worker.intake.queue import DocumentQueue


@dataclass(frozen=True, slots=True)
class Places:
    """Where ids come from, what they stand for, and what becomes of them."""

    queue: DocumentQueue
    documents: Documents
    originals: Originals
    maker: JobMaker
    metrics: IntakeMetrics
