"""Documents that an existing backend names in a Redis list become jobs, and their results go back to it.

`intake` has the loops, `queue` what is done in Redis, `arrivals` the way from an id to a job, `finisher`
what follows a job's end, and `reaper` finds what a worker that died had in hand.
"""

from pecia_worker.intake.composition import IntakeParts, build_intake
from pecia_worker.intake.finisher import Finisher
from pecia_worker.intake.intake import Intake
from pecia_worker.intake.making import Shop
from pecia_worker.intake.metrics import IntakeMetrics

__all__ = ["Finisher", "Intake", "IntakeMetrics", "IntakeParts", "Shop", "build_intake"]
