"""Fetches in a network of its own: `unshare -rmn python own_network.py`, with a name server that lies.

The one interface has an address of the public internet and private ones; a web server listens on all of them
and says on which it was reached. The system's own resolver asks the name server, whose answers change with
each question and may be kept for no time.
"""

import asyncio
import json
import socket
import struct
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import cast

from pecia_core.errors import PeciaError
from pecia_fetch.fetcher import Fetcher
from pecia_fetch.settings import FetchSettings

PUBLIC, PRIVATE, PORT = "93.184.216.34", "10.11.12.13", 8080
_A, _HEADER = 1, 12
# What a name is said to be, question after question; the last answer is repeated.
ANSWERS = {
    "rebinding.test": [[PUBLIC], [PRIVATE]],
    "private.test": [[PRIVATE]],
    "both.test": [[PUBLIC, PRIVATE]],
    "loopback.test": [["127.0.0.1"]],
    "metadata.test": [["169.254.169.254"]],
}


class NameServer(asyncio.DatagramProtocol):
    """Answers over UDP; counts the questions for IPv4 addresses."""

    def __init__(self) -> None:
        self.asked: dict[str, int] = defaultdict(int)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        labels, at = [], _HEADER
        while length := data[at]:
            labels.append(data[at + 1 : at + 1 + length].decode())
            at += 1 + length
        kind = struct.unpack(">H", data[at + 1 : at + 3])[0]
        name, found = ".".join(labels), list[str]()
        if kind == _A and name in ANSWERS:
            found = ANSWERS[name][min(self.asked[name], len(ANSWERS[name]) - 1)]
            self.asked[name] += 1
        records = b"".join(
            struct.pack(">HHHIH4s", 0xC00C, _A, 1, 0, 4, socket.inet_aton(one)) for one in found
        )
        head = data[:2] + struct.pack(">HHHHH", 0x8180, 1, len(found), 0, 0)
        self.transport.sendto(head + data[_HEADER : at + 5] + records, address)


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say on which address; or lead to another name."""
    path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
    here = writer.get_extra_info("sockname")[0]
    if path.startswith("/to/"):
        writer.write(f"HTTP/1.1 302 x\r\nLocation: http://{path[4:]}:{PORT}/\r\n\r\n".encode())
    else:
        writer.write(f"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{here}".encode())
    writer.close()


async def told(host: str, path: str = "/") -> str:
    """The address that answered, or the code of the refusal."""
    fetcher = Fetcher(FetchSettings(allow_http=True, timeout_s=20), 1000)
    try:
        return (await fetcher.fetch(f"http://{host}:{PORT}{path}", param="url")).data.decode()
    except PeciaError as error:
        return error.code
    finally:
        fetcher.close()


async def main() -> None:
    """Print what became of each fetch."""
    names = NameServer()
    await asyncio.get_running_loop().create_datagram_endpoint(lambda: names, local_addr=("127.0.0.1", 53))
    async with await asyncio.start_server(serve, "0.0.0.0", PORT):
        results = {
            "rebinding, first": await told("rebinding.test"),
            "questions": names.asked["rebinding.test"],
            "rebinding, then": await told("rebinding.test"),
            "redirect": await told(PUBLIC, "/to/private.test"),
            "redirects": await told(PUBLIC, "/to/loopback.test"),
            "fine redirect": await told(PUBLIC, f"/to/{PUBLIC}"),
            **{
                name: await told(name)
                for name in ("private.test", "both.test", "loopback.test", "metadata.test")
            },
        }
    sys.stdout.write(json.dumps(results))


if __name__ == "__main__":
    resolver = Path(sys.argv[1]) / "resolv.conf"
    resolver.write_text("nameserver 127.0.0.1\noptions timeout:2 attempts:1\n")
    subprocess.run(["mount", "--bind", str(resolver), "/etc/resolv.conf"], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for address in (PUBLIC, PRIVATE, "169.254.169.254"):
        subprocess.run(["ip", "address", "add", f"{address}/32", "dev", "lo"], check=True)
    asyncio.run(main())
