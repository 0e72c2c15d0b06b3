"""A fleet of L4s on paper: what each part has to carry, where it breaks, and what 1,000 pages cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from benchmarks.scale.inputs import Input

_DAY_S = 86_400
_KIB = 1024
_GB = 1e9
_LEAST_GATEWAYS = 3
_WORKER_CORES = 2


@dataclass(frozen=True, slots=True)
class Part:
    """A part under load, which grows with the fleet."""

    name: str
    load: float
    limit: float
    unit: str
    why: str

    @property
    def used(self) -> float:
        """Of what it can carry; above 1 it has broken."""
        return self.load / self.limit

    def breaks_at(self, pods: int) -> float:
        """Pods at which the limit is met, the mix being the same."""
        return pods / self.used


class Fleet:
    """So many L4 pods at work, and all that stands around them."""

    def __init__(self, pods: int, inputs: Mapping[str, Input]) -> None:
        """Sized so that its processors are used to the share that is assumed."""
        self.pods = pods
        self.inputs = inputs
        self.pages_s = pods * self["pages of an L4"]
        self.jobs_s = self.pages_s * self["share that comes as jobs"]
        self.requests_s = self.pages_s - self.jobs_s
        self.workers = self._workers()
        self.gateways = self._gateways()
        self.clients = self.workers + self.gateways

    def __getitem__(self, name: str) -> float:
        return self.inputs[name].value

    @property
    def looking(self) -> float:
        """Cores a client spends on looking at all pods and on connecting to them again."""
        looks = self.pods / self["look at pods every"] * self["Describe, who asks"]
        return (looks + self.pods / self["connection age"] * self["connecting, who asks"]) / 1000

    def _workers(self) -> int:
        page = self["drawing a PDF page"] + self["packing, carrying, unpacking it"]
        page += self["a page in SQL, the worker"] + self["choosing one of the pods"]
        room = _WORKER_CORES * self["a processor's share that is used"] - self.looking
        return ceil(self.jobs_s * page / 1000 / room)

    def _gateways(self) -> int:
        request = self["gateway, a small picture"] + self["choosing one of the pods"]
        room = self["a processor's share that is used"] - self.looking
        return max(_LEAST_GATEWAYS, ceil(self.requests_s * request / 1000 / room))

    @property
    def page_s(self) -> float:
        """Seconds a page is in its pod."""
        return self["pages at once in an L4"] / self["pages of an L4"]

    @property
    def wal_bytes(self) -> float:
        """Of a job's page, from its creation to its end."""
        renewals = self.page_s / self["lease renewed every"]
        ends = self["log of a page claimed and recorded"] + self["rows of a page in the log at its creation"]
        return ends + renewals * self["log of a lease renewed"]

    @property
    def dns_bytes(self) -> float:
        """Of the answer with every pod's address."""
        return 12 + 50 + 16 * self.pods

    @property
    def rows_s(self) -> float:
        """Rows written a second: two made, one deleted, page twice and three counters changed, renewals."""
        return self.jobs_s * (8 + self.page_s / self["lease renewed every"])

    @property
    def in_mb_s(self) -> float:
        """Pictures through the load balancer, as data URLs."""
        return self.requests_s * self["picture of a page"] * _KIB * 4 / 3 / 1e6

    def parts(self) -> list[Part]:
        """The tightest first."""
        loads = self._loads()
        found = [Part(name, loads[name], *limit) for name, limit in self._limits().items()]
        return sorted(found, key=lambda part: -part.used)

    def _loads(self) -> dict[str, float]:
        choosing = self["gateway, a small picture"] + self["choosing one of the pods"]
        described = self.clients / self["look at pods every"] * self["Describe, who answers"]
        again = self.clients / self["connection age"] * self["connecting, who answers"]
        return {
            "choosing a pod": self["choosing one of the pods"],
            "looking, in a gateway": self.looking * 1000,
            "looking, in an ocr pod": described + again,
            "connections to the database": self.clients * self["database connections of a process"],
            "the database's processors": self.jobs_s * self["a page in PostgreSQL"],
            "the database's log": self.jobs_s * self.wal_bytes / 1e6,
            "the name's answer": self.dns_bytes,
            "writing to one prefix": self.jobs_s,
            "a gateway's processors": self.requests_s * choosing,
            "targets of the load balancer": self.gateways,
        }

    def _limits(self) -> dict[str, tuple[float, str, str]]:
        """What each can carry, of what, and why that is the limit."""
        core_ms = 1000 * self["a processor's share that is used"]
        every_second = "CPU-ms each second"
        return {
            "choosing a pod": (
                self["gateway, a small picture"],
                "CPU-ms a page",
                "all else a gateway does for a small picture; up to 64 pods are compared, of more three",
            ),
            "looking, in a gateway": (
                200,
                every_second,
                "a fifth of its core, for Describe and connections, before any page",
            ),
            "looking, in an ocr pod": (
                500,
                every_second,
                "half a core of a g6.xlarge's two, in the process that serves pages",
            ),
            "connections to the database": (
                100,
                "connections",
                "PostgreSQL's default max_connections; a pooler or a larger one moves it",
            ),
            "the database's processors": (8 * core_ms, every_second, "8 cores; one primary takes all writes"),
            "the database's log": (125, "MB/s", "a gp3 volume as it comes"),
            "the name's answer": (65_535, "bytes", "the largest DNS message; above 512 it is asked by TCP"),
            "writing to one prefix": (3500, "PUT/s", "what S3 gives a prefix before it divides it"),
            "a gateway's processors": (
                100 * core_ms,
                every_second,
                "100 gateways: a target group's and the address range's comfort",
            ),
            "targets of the load balancer": (1000, "targets", "of an ALB"),
        }

    def dollars(self) -> dict[str, float]:
        """For 1,000 pages, by part; everything on demand, used as sized, S3 through a gateway endpoint."""
        hour = self.pages_s * 3600 / 1000
        lcus = self.in_mb_s * 3600 / 1000
        cores = self.workers * _WORKER_CORES + self.gateways + 4
        bought = max(
            1.0,
            self.jobs_s * self["a page in PostgreSQL"] / 1000 / self["a processor's share that is used"] / 2,
        )
        share = self["share that comes as jobs"]
        return {
            "L4 nodes": self.pods * self["$ g6.xlarge"] / hour,
            "workers, gateways, system": cores * self["$ core of m7i"] / hour,
            "database": bought * self["$ database"] / hour,
            "load balancer": (self["$ ALB"] + lcus * self["$ LCU"]) / hour,
            "S3 requests": share * (self["$ S3 PUT"] + 2 * self["$ S3 GET"]),
            "logs": self["log lines of a page"] * _KIB * 1000 / _GB * self["$ GB of log"],
            "EKS": self["$ EKS"] / hour,
        }

    def nat_dollars(self) -> float:
        """For 1,000 pages, where S3 is reached through NAT: eksctl's VPC as it comes."""
        carried = self["document, a page"] + 2 * self["result of a page"]
        return self["share that comes as jobs"] * carried * _KIB * 1000 / _GB * self["$ GB through NAT"]

    def facts(self) -> list[tuple[str, str]]:
        """What is carried, in words and figures."""
        queries = self.clients * 2 / self["look at pods every"]
        describes = self.clients * self.pods / self["look at pods every"]
        cost = self["Describe, who asks"] + self["Describe, who answers"]
        reconnects = self.clients * self.pods / self["connection age"]
        held = self.pods * self["a connection"] / _KIB
        carried: dict[str, tuple[str, ...]] = {
            "pages": (f"{self.pages_s:,.0f} a second", f"{self.pages_s * _DAY_S / 1e6:,.0f} million a day"),
            "gateways, workers": (f"{self.gateways}", f"{self.workers} of {_WORKER_CORES} cores"),
            "gRPC connections": (
                f"{self.clients * self.pods:,} in all",
                f"{self.clients} to a pod",
                f"{self.pods:,} of a client: {held:,.0f} MiB",
            ),
            "connections made again": (f"{reconnects:,.0f} a second in all",),
            "Describe": (f"{describes:,.0f} a second in all", f"{describes * cost / 1000:,.1f} cores"),
            "DNS": (
                f"{self.dns_bytes:,.0f} bytes an answer",
                f"{queries:,.0f} queries a second",
                f"{queries / 2 * self.dns_bytes / 1e6:,.2f} MB/s",
            ),
            **self._stored(),
        }
        return [(name, ", ".join(words)) for name, words in carried.items()]

    def _stored(self) -> dict[str, tuple[str, ...]]:
        stored = self["document, a page"] + 2 * self["result of a page"]
        log = self.jobs_s * self.wal_bytes
        return {
            "claims": (f"{self.jobs_s:,.0f} pages a second", f"{self.jobs_s / 4:,.0f} statements of four"),
            "rows written": (f"{self.rows_s:,.0f} a second", "as many to vacuum, but for those made"),
            "database's log": (
                f"{self.wal_bytes:,.0f} bytes a page",
                f"{log / 1e6:,.2f} MB/s",
                f"{log * _DAY_S / _GB:,.0f} GB a day",
            ),
            "database connections": (f"{self.clients * self['database connections of a process']:,.0f}",),
            "object store": (
                f"{self.jobs_s:,.0f} PUT/s",
                f"{2 * self.jobs_s:,.0f} GET/s",
                f"{self.jobs_s * stored * _KIB / 1e6:,.0f} MB/s",
            ),
            "load balancer": (
                f"{self.in_mb_s:,.0f} MB/s in",
                f"{self.in_mb_s * 3.6:,.0f} LCU",
                f"{self.requests_s:,.0f} requests a second",
            ),
        }
