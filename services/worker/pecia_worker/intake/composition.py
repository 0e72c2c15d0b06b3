"""The intake put together from what a worker has anyway."""

from dataclasses import dataclass

from pecia_core.errors import InvalidRequest
from pecia_jobs.database import Database

from pecia_worker.intake.arrivals import Arrivals
from pecia_worker.intake.documents import Documents
from pecia_worker.intake.finisher import Finisher, Results
from pecia_worker.intake.intake import Crew, Intake
from pecia_worker.intake.link import RedisLink
from pecia_worker.intake.making import JobMaker, Shop
from pecia_worker.intake.metrics import IntakeMetrics
from pecia_worker.intake.originals import Originals
from pecia_worker.intake.places import Places
from pecia_worker.intake.queue import DocumentQueue
from pecia_worker.intake.reaper import Reaper
from pecia_worker.intake_settings import IntakeGroups


@dataclass(frozen=True, slots=True)
class IntakeParts:
    """What a worker runs: `intake` takes ids, `finisher` ends documents, `close` hangs up."""

    intake: Intake
    finisher: Finisher
    queue: DocumentQueue
    maker: JobMaker
    documents: Documents

    async def close(self) -> None:
        """Hang up on Redis and on the table's database."""
        await self.queue.close()
        await self.documents.close()


def build_intake(
    settings: IntakeGroups,
    shop: Shop,
    metrics: IntakeMetrics,
    link: RedisLink | None = None,
    documents: Documents | None = None,
) -> IntakeParts:
    """Everything, connected to nothing yet.

    Args:
        settings: of the intake.
        shop: what the worker has anyway; closed by whoever opened it.
        metrics: count.
        link: to Redis; None = by the settings.
        documents: the table; None = by the settings.

    Raises:
        InvalidRequest: an address is none, or the table or the bucket is not named.
    """
    intake = settings.intake
    queue = DocumentQueue(link or RedisLink(settings.redis), intake)
    documents = documents or _documents(settings)
    maker = JobMaker(shop, intake)
    places = Places(queue, documents, Originals(settings.originals), maker, metrics)
    arrivals = Arrivals(places, intake, settings.documents.types)
    finisher = Finisher(Results(shop.store, shop.blobs, shop.reviews), places, intake)
    reaper = Reaper(places, arrivals, finisher, intake)
    loops = Intake(places, Crew(arrivals, finisher, reaper), intake)
    return IntakeParts(loops, finisher, queue, maker, documents)


def _documents(settings: IntakeGroups) -> Documents:
    url = settings.documents.url.get_secret_value()
    if not url or not (settings.originals.url or settings.originals.bucket):
        raise InvalidRequest(
            "REDIS_URL is set, so document ids are taken from there, which needs DATABASE_URL with their "
            "table and CF_R2_BUCKET_NAME with their files. Set both, or OCR_GPU_ENABLED=false.",
            code="missing_required_parameter",
        )
    pooled = settings.documents.pooled
    database = Database(url, pool_size=settings.intake.concurrency + 1, pooled=pooled)
    return Documents(database, settings.documents)
