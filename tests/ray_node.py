"""Nodes of a Ray cluster for tests, on free ports of this machine."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence

import psutil

from library.framework.serving.sockets import find_free_port

RAY = (
    sys.executable, "-c", "from ray.scripts.scripts import main; main()", "start", "--block", "--disable-usage-stats",
    "--object-store-memory=80000000", "--min-worker-port=0", "--max-worker-port=0",
)  # fmt: skip


class Node:
    """A node of a Ray cluster; the head of a new cluster unless an address is given."""

    def __init__(
        self, address: str = "", host: str = "127.0.0.1", cpus: int = 1, prefix: Sequence[str] = (), **environment: str
    ) -> None:
        # A short path, as sockets lie in it; workers of the node keep their checkpoints there too.
        self.folder = tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True)
        self.address = address or f"{host}:{find_free_port(6400)}"
        port, client, agent = self.address.rpartition(":")[2], find_free_port(6500), find_free_port(6600)
        head = ["--head", f"--port={port}", f"--ray-client-server-port={client}", f"--temp-dir={self.folder.name}"]
        own = [f"--address={address}"] if address else [*head, "--include-dashboard=false"]
        place = [] if host == "127.0.0.1" else [f"--node-ip-address={host}"]
        self._process = subprocess.Popen(
            [*prefix, *RAY, *own, *place, f"--num-cpus={cpus}", f"--dashboard-agent-listen-port={agent}"],
            env={**os.environ, "XDG_CACHE_HOME": self.folder.name, "RAY_USAGE_STATS_ENABLED": "0", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert self._process.stdout is not None
        assert any(b"runtime started" in line for line in self._process.stdout)

    def kill(self) -> None:
        """Kills all its processes at once."""
        for process in [*psutil.Process(self._process.pid).children(recursive=True), self._process]:
            process.send_signal(signal.SIGKILL)
        self._process.communicate()
        self.folder.cleanup()
