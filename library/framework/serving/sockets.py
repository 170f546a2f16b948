"""A port to answer on, held from the first moment: one in use is found before tensorflow and mlflow are imported."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import UserError

HOST = "127.0.0.1"
"""No other machine can ask: nobody who asks is asked for a name."""
LAST = 65535


@contextmanager
def held(port: int) -> Iterator[socket.socket]:
    """A socket that listens on a port of this machine; who asks meanwhile waits until there is somebody to answer.

    Raises:
        UserError: something else answers there; names the next port that is free.
    """
    listening = _listen(port)
    if listening is None:
        raise UserError(f"port: got {port}, which is in use; stop what answers there, or give PORT={free(port + 1)}")
    with listening:
        yield listening


def free(first: int = 5001) -> int:
    """A port that nothing answers on, the lowest from some port on, or else any; a moment later it may be taken."""
    for port in (*range(first, LAST + 1), 0):
        listening = _listen(port)
        if listening is not None:
            with listening:
                return int(listening.getsockname()[1])
    raise UserError("port: none of this machine is free; stop some program that answers on one")


def _listen(port: int) -> socket.socket | None:
    # The protocol by its name: else asyncio does not send at once what it has, and each answer waits for 40 ms.
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # or one just left could not be taken for a minute
        made.bind((HOST, port))
        made.listen(128)
    except OSError:
        made.close()
        return None
    return made
