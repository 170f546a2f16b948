"""An MLflow server for tests, on a free port of 127.0.0.1, as `mlflow server` starts it."""

import os
import signal
import subprocess
import sys
from typing import IO

from library.framework.serving.sockets import find_free_port


class MlflowServer:
    """A server of runs in a database and of artifacts elsewhere; only its processes get the environment given here."""

    def __init__(self, runs: str, artifacts: str, **environment: str) -> None:
        self._port = find_free_port(5801)
        self._command = [
            *(sys.executable, "-m", "mlflow", "server"),
            *("--host", "127.0.0.1", "--port", str(self._port), "--workers", "1"),
            *("--backend-store-uri", runs.replace("postgresql:", "postgresql+psycopg2:")),
            *("--artifacts-destination", artifacts),
        ]  # fmt: skip
        self._environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", **environment}
        self.address = f"http://127.0.0.1:{self._port}"
        self.start()

    def start(self) -> None:
        """Starts the server, and waits until it answers."""
        self._process = subprocess.Popen(
            self._command,
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        lines: IO[bytes] | None = self._process.stderr
        assert lines is not None
        assert any(b"Uvicorn running" in line for line in lines)

    def stop(self) -> None:
        """Kills all its processes."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()
