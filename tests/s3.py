"""An S3 server for tests, on free ports of 127.0.0.1, which checks keys and rights as Amazon's does."""

import json
import shutil
import subprocess
import sysconfig
import tempfile
from pathlib import Path

import boto3
from botocore.config import Config

from library.framework.serving.sockets import find_free_port

WEED = Path(sysconfig.get_path("scripts")) / "weed"


class S3:
    """A server with one bucket, all of which is gone after `close`."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="s3-"))
        rights = {"writer": ["Admin", "Read", "List", "Write"], "reader": ["Read", "List"]}
        users = [
            {"name": name, "actions": actions, "credentials": [{"accessKey": name, "secretKey": name}]}
            for name, actions in rights.items()
        ]
        (self._folder / "users.json").write_text(json.dumps({"identities": users}))
        port = find_free_port(8333)
        self._address = f"http://127.0.0.1:{port}"
        ports = {"master.port": 9333, "volume.port": 8080, "filer.port": 8888, "s3.port": port}
        given = {name: find_free_port(first) for name, first in ports.items()}
        given |= {"ip": "127.0.0.1", "ip.bind": "127.0.0.1", "s3.config": self._folder / "users.json"}
        given |= {"dir": self._folder, "volume.max": 20, "master.volumeSizeLimitMB": 64}
        options = [f"-{name}={value}" for name, value in given.items()]
        self._process = subprocess.Popen(
            [WEED, "server", "-s3", "-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.iam=false", *options],
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until_it_answers = Config(retries={"total_max_attempts": 10, "mode": "standard"})
        client = boto3.client(
            "s3", endpoint_url=self._address, config=until_it_answers,
            **{f"aws_{key}": "writer" for key in ("access_key_id", "secret_access_key")},
        )  # fmt: skip
        client.create_bucket(Bucket="bucket")
        client.close()

    def environment(self, user: str) -> dict[str, str]:
        """What MLflow's client takes a user's keys from; there are `writer` and `reader`."""
        keys = {"AWS_ACCESS_KEY_ID": user, "AWS_SECRET_ACCESS_KEY": user, "AWS_DEFAULT_REGION": "us-east-1"}
        return {"MLFLOW_S3_ENDPOINT_URL": self._address, **keys}

    def close(self) -> None:
        """Stops the server and removes all of it."""
        self._process.kill()
        self._process.communicate()
        shutil.rmtree(self._folder)
