"""An engine in a network of its own: `unshare -rn python engine_alone.py NAME CONFIG`.

Every address leads back into that network, so that whoever asks for anything leaves a trace in the kernel's
own counters, in whatever language it was written. Prints them, after the engine has loaded and read a page.
"""

import json
import subprocess
import sys
import urllib.request
from contextlib import suppress
from pathlib import Path

import numpy as np
from pecia_core.recognition import RecognizeOptions
from pecia_core.vocabulary import EngineName
from pecia_ocr.engines import catalogue
from pecia_ocr.engines.base import CancelToken


def counted() -> dict[str, int]:
    """TCP connections begun and UDP messages sent, over both families, since the network was made."""
    snmp = [line.split() for line in Path("/proc/net/snmp").read_text().splitlines()]
    told = {
        f"{names[0]}{name}": int(value)
        for names, values in zip(snmp[::2], snmp[1::2], strict=True)
        for name, value in zip(names[1:], values[1:], strict=True)
    }
    six = dict(line.split() for line in Path("/proc/net/snmp6").read_text().splitlines())
    return {
        "connections": told["Tcp:ActiveOpens"],
        "messages": told["Udp:OutDatagrams"] + int(six["Udp6OutDatagrams"]),
    }


def read(name: str, config: dict[str, object]) -> int:
    """Load the engine, have it read a small page, and count what it says."""
    engine = catalogue.build(EngineName(name), config)
    engine.load(lambda _: None)
    page = np.full((64, 200, 3), 255, np.uint8)
    page[20:40, 20:180:3] = 0
    return len(list(engine.read(page, RecognizeOptions(), CancelToken())))


def main() -> None:
    """Make the network, do it, and print what the kernel counted."""
    name, config = sys.argv[1:]
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["ip", "route", "add", "local", "0.0.0.0/0", "dev", "lo"], check=True)
    said = 0
    if name == "control":
        with suppress(OSError):
            urllib.request.urlopen("http://93.184.216.34/", timeout=2)
    else:
        said = read(name, json.loads(config))
    sys.stdout.write(json.dumps(counted() | {"said": said}))


if __name__ == "__main__":
    main()
