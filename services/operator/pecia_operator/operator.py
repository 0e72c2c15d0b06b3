"""The operator between kopf, which hears, and the reconciler, which acts."""

import asyncio

import kopf
from pecia_core.errors import PeciaError, Unavailable

from pecia_operator.kinds import OCR_MODEL
from pecia_operator.lease import Lease
from pecia_operator.reconcile import Reconciler
from pecia_operator.waiting_line import WaitingLine


class Operator:
    """Looks at models when something changed, and at all now and then; only while it holds the lease."""

    def __init__(self, reconciler: Reconciler, login: kopf.ConnectionInfo | None = None) -> None:
        """Nothing runs yet.

        Args:
            reconciler: what is done with a model.
            login: where kopf watches; None = as the ServiceAccount or kubeconfig says.
        """
        settings = reconciler.settings
        self.login = login
        self.lease = Lease(reconciler.cluster, settings.lease, settings.operator.identity)
        self._reconciler = reconciler
        self._line: WaitingLine | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Wait for the lease in the background, and act when it is there."""
        self._line = WaitingLine()
        self._task = asyncio.create_task(self.lease.hold(self._act))

    async def stop(self) -> None:
        """End what is being done, and give the lease back."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._reconciler.cluster.close()

    def alive(self) -> str:
        """What the kubelet hears.

        Raises:
            Unavailable: the part that acts has ended; the process has to be started again.
        """
        if self._task is None or self._task.done():
            raise Unavailable("The operator has stopped acting; it has to be started again.")
        return "acting" if self.lease.held else "waiting for the lease"

    def look_at(self, name: str) -> None:
        """Something about a model may have changed."""
        if self._line:
            self._line.add(name)

    async def _act(self) -> None:
        assert self._line  # noqa: S101  made before this task
        async with asyncio.TaskGroup() as group:
            group.create_task(self._line.run(self._reconciler.reconcile))
            group.create_task(self._look_at_all())

    async def _look_at_all(self) -> None:
        """At once, and every `resync_s`: whoever changed something nobody heard of is put right."""
        while True:
            try:
                for read in await self._reconciler.cluster.list(OCR_MODEL) or []:
                    self.look_at(read["metadata"]["name"])
            except PeciaError:
                await asyncio.sleep(1.0)
                continue
            await asyncio.sleep(self._reconciler.settings.rollout.resync_s)
