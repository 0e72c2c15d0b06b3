"""Which doors are open from here: `host:port` each, and a line of JSON that says true or false of it."""

import json
import socket
import sys

_PATIENCE_S = 3


def is_open(door: str) -> bool:
    """Whether a connection is taken by another pod; a policy refuses it or never answers.

    Raises:
        socket.gaierror: the name is not known, which says nothing about a door.
    """
    host, _, port = door.rpartition(":")
    own = socket.gethostbyname(socket.gethostname())  # which nobody can be kept from
    found = {
        str(one[4][0]) for one in socket.getaddrinfo(host, int(port), socket.AF_INET, socket.SOCK_STREAM)
    }
    return any(answers(address, int(port)) for address in found - {own})


def answers(address: str, port: int) -> bool:
    """Whether that one takes a connection."""
    try:
        socket.create_connection((address, port), _PATIENCE_S).close()
    except OSError:
        return False
    return True


if __name__ == "__main__":
    sys.stdout.write(json.dumps({door: is_open(door) for door in sys.argv[1:]}))
