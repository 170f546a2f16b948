"""Tells a command or an address that a study has ended; whatever goes wrong there, the study stands.

The target may hold a secret, as webhooks do: it is neither recorded nor printed.
"""

import json
import shlex
import subprocess
import urllib.request
from collections.abc import Mapping
from typing import Any

from ..environment import one_line
from ..tracking.address import is_address

SECONDS = 30
"""How long the command or the address may take."""


def notify(target: str, message: Mapping[str, Any]) -> None:
    """Gives JSON to a command's standard input or posts it to an http(s) address; a failure is told in a line."""
    body = json.dumps(message).encode()
    try:
        if is_address(target):
            headers = {"Content-Type": "application/json"}
            request = urllib.request.Request(target, body, headers, method="POST")  # noqa: S310  http(s) alone
            urllib.request.urlopen(request, timeout=SECONDS).close()  # noqa: S310
        else:
            subprocess.run(shlex.split(target), input=body, timeout=SECONDS, check=True)  # noqa: S603  the user's own
    except subprocess.CalledProcessError as error:
        print(f"notify: the command ended with {error.returncode}; the study stands", flush=True)
    except subprocess.TimeoutExpired:
        print(f"notify: the command was ended after {SECONDS} seconds; the study stands", flush=True)
    except (OSError, ValueError) as error:  # URLError and HTTPError, which do not name the address, are OSErrors
        print(f"notify: {one_line(error)}; the study stands", flush=True)
