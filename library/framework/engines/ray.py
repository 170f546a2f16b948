"""Workers as tasks of a Ray cluster, each on whichever node has room for it.

Ray itself repeats nothing, as a second attempt would write into the run of the first: a lost trial is queued again, as
one of a worker of this machine is.
"""

import logging
import os
import platform
import signal
import threading
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import grpc
import psutil
import ray
from ray import exceptions
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from ..environment import COMMIT, PACKAGES, PROGRAM, git_tags, one_line, option
from ..errors import UserError
from ..options import EngineOptions
from .base import DIED, Engine, Exit, Work, empty_row

ANSWER_SECONDS = 3
"""How long a cluster may take to answer."""
NODE_SECONDS = 90
"""How long a node may take to receive the code and to tell its versions; after 65 Ray knows of one that is cut off."""
VERDICT_SECONDS = 3
"""How long after a worker's end its node may be found dead, which then is the reason."""
LOST = (exceptions.NodeDiedError, exceptions.ObjectLostError, exceptions.WorkerCrashedError)
PASSED_ON = (PROGRAM, "KERAS_BACKEND")
"""Variables that workers get as this process has them; credentials are the nodes' own, as Ray shows what it passes."""


class RayEngine(Engine):
    """Tasks, each of which takes the CPUs and GPUs of the options from its node for as long as it works."""

    def __init__(self, options: EngineOptions, num_objectives: int) -> None:
        self.num_threads = max(1, int(options.cpus))
        self._empty_row = empty_row(num_objectives)
        self._refs: dict[str, Any] = {}
        self._reports: Mapping[str, tuple[str, list[float]]] = {}
        _connect(options.address, options.gpus)
        try:
            _check_versions(_nodes_for(options.cpus, options.gpus))
            # On the head node, without which there is no cluster.
            self._board = ray.remote(num_cpus=0, resources={"node:__internal_head__": 1e-3})(_Board).remote()
        except BaseException:
            ray.shutdown()
            raise
        self._task = ray.remote(max_retries=0, max_calls=1, num_cpus=options.cpus, num_gpus=options.gpus)(_run)

    @property
    def workers(self) -> Collection[str]:
        return self._refs

    @property
    def waiting(self) -> Collection[str]:
        return self._refs.keys() - self._reports.keys()

    @property
    def rows(self) -> Mapping[str, list[float]]:
        return {name: self._reports[name][1] for name in self._refs if name in self._reports}

    def start(self, name: str, work: Work) -> None:
        self._refs[name] = self._task.remote(work, name, self._board, self._empty_row)

    def wait(self) -> Mapping[str, Exit]:
        try:
            ready, _ = ray.wait([*self._refs.values()], timeout=0.5)
            self._reports = ray.get(self._board.read.remote())
            addresses = {node["NodeID"]: node["NodeManagerAddress"] for node in ray.nodes()}
            self.nodes = {name: addresses[node] for name, (node, _) in self._reports.items() if node in addresses}
            ended = {name: self._exit(name, ref) for name, ref in self._refs.items() if ref in ready}
            alive = _alive()
        except (exceptions.RayActorError, ConnectionError) as error:
            raise UserError(f"engine: the Ray cluster was lost ({one_line(error)}); the same command goes on") from None
        for name in (self._refs.keys() - ended.keys()) & self._reports.keys():
            if self._reports[name][0] not in alive:  # of a node that was cut off `ray.wait` says nothing
                ended[name] = self._lost_exit(name)
        for name in ended:
            del self._refs[name]
        return ended

    def _exit(self, name: str, ref: Any) -> Exit:
        """How the worker of a task ended that is ready."""
        node = self.nodes.get(name, "a node")
        try:
            code, message = ray.get(ref)
            return Exit(code, message=f"{message} (on node {node})" if code else message)
        except exceptions.OutOfMemoryError:
            return Exit(DIED, f"its process was killed, as node {node} had no memory left")
        except LOST as error:
            if not isinstance(error, exceptions.WorkerCrashedError) or self._node_died(name):
                return self._lost_exit(name)
            return Exit(DIED, f"its process on node {node} died")
        except exceptions.RayTaskError as error:
            return Exit(DIED, f"{one_line(error.cause)} (on node {node})")
        except exceptions.RayError as error:
            return Exit(DIED, one_line(error))

    def _lost_exit(self, name: str) -> Exit:
        return Exit(DIED, f"its node {self.nodes.get(name, '')} was lost".replace("  ", " "), is_lost=True)

    def _node_died(self, name: str) -> bool:
        """Whether the node of a worker that died is dead too, which is found out a moment later."""
        deadline = time.monotonic() + VERDICT_SECONDS
        while name in self._reports and self._reports[name][0] in _alive():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.2)
        return name in self._reports

    def kill(self) -> None:
        with suppress(exceptions.RayError, ConnectionError):
            for ref in self._refs.values():
                ray.cancel(ref, force=True)
            if self._refs:
                ray.wait([*self._refs.values()], num_returns=len(self._refs), timeout=ANSWER_SECONDS)
        self._refs.clear()

    def close(self) -> None:
        self.kill()
        ray.shutdown()


class _Board:
    """An actor that holds what each worker reported last: its node's id and its row."""

    def __init__(self) -> None:
        self._reports: dict[str, tuple[str, list[float]]] = {}

    def update(self, name: str, node: str, row: list[float]) -> None:
        self._reports[name] = node, row

    def read(self) -> dict[str, tuple[str, list[float]]]:
        return self._reports


class _Row(list[float]):
    """A row of a worker's progress, which the board gets whenever it is changed."""

    def __init__(self, name: str, board: Any, values: list[float]) -> None:
        super().__init__(values)
        self._name, self._board, self._node = name, board, ray.get_runtime_context().get_node_id()

    def __setitem__(self, where: Any, value: Any) -> None:
        super().__setitem__(where, value)
        self.send()

    def send(self) -> Any:
        return self._board.update.remote(self._name, self._node, list(self))


def _run(work: Work, name: str, board: Any, values: list[float]) -> tuple[int, str]:
    """A worker, on its node."""
    threading.Thread(target=_die_with_node, args=(os.getppid(),), daemon=True).start()
    row = _Row(name, board, values)
    ray.get(row.send())  # the driver knows its node before it has a trial
    return work(row)


def _die_with_node(raylet: int) -> None:
    """Ends this process when Ray's process of the node has ended, which lets a running task go on."""
    while os.getppid() == raylet:
        time.sleep(1)
    os._exit(1)


def _connect(address: str, gpus: float) -> None:
    """Connects this process to a cluster, which gets the code of the working folder."""
    if ray.is_initialized():
        raise UserError("engine: this process is connected to a Ray cluster; call ray.shutdown() first")
    address = os.environ.get("RAY_ADDRESS", address) if address == "auto" else address
    _check_answers(address)
    logging.getLogger("ray").setLevel(logging.ERROR)
    ray._private.worker.print_to_stdstream = lambda *_, **__: None  # a page for each process that dies
    passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    passed_on |= {COMMIT: " ".join(git_tags().values())}
    passed_on |= {"TF_FORCE_GPU_ALLOW_GROWTH": "true"} if 0 < gpus < 1 else {}  # workers share a GPU's memory
    stores = [str(database.parent) for database in Path().glob("*/mlflow.db")]
    excludes = [".?*", "__pycache__", "build", "dist", *stores]  # besides what .gitignore names
    environment = {"working_dir": ".", "excludes": excludes, "env_vars": passed_on}
    handler = signal.getsignal(signal.SIGTERM)  # of the command, which Ray replaces
    try:
        ray.init(address, runtime_env=environment, log_to_driver=False, configure_logging=False)
    except Exception as error:
        raise UserError(f"address: {address}: {one_line(error)}") from error
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)


def _check_answers(address: str) -> None:
    """Raises a UserError where no cluster answers, for which Ray itself would wait two minutes."""
    start = f"start one with `ray start --head`, or give {option(address='ray://host:10001')}"
    if address == "auto":
        if not any(process.info["name"] == "raylet" for process in psutil.process_iter(["name"])):
            raise UserError(f"address: no Ray cluster runs on this machine; {start}")
    elif os.environ.get("RAY_USE_TLS", "0") == "0":
        with grpc.insecure_channel(address.removeprefix("ray://"), [("grpc.enable_http_proxy", 0)]) as channel:
            try:
                grpc.channel_ready_future(channel).result(timeout=ANSWER_SECONDS)
            except grpc.FutureTimeoutError:
                raise UserError(f"address: no Ray cluster answers at {address}; {start}") from None


def _alive() -> set[str]:
    """The ids of the nodes that are alive."""
    return {node["NodeID"] for node in ray.nodes() if node["Alive"]}


def _nodes_for(cpus: float, gpus: float) -> dict[str, str]:
    """The addresses of the nodes that are large enough for a worker, by id; UserError where there are none."""
    sizes = {}
    for node in ray.nodes():
        if node["Alive"]:
            size = node["Resources"].get("CPU", 0.0), node["Resources"].get("GPU", 0.0)
            sizes[node["NodeID"]] = node["NodeManagerAddress"], size
    found = {node: address for node, (address, size) in sizes.items() if size[0] >= cpus and size[1] >= gpus}
    if not found:
        have = ", ".join(f"{address}: {size[0]:g} and {size[1]:g}" for address, size in sizes.values())
        needed = f"got {option(cpus=f'{cpus:g}')} and {option(gpus=f'{gpus:g}')} for a worker"
        raise UserError(f"cpus: {needed}; no node of the cluster has as many CPUs and GPUs ({have})")
    return found


def _check_versions(nodes: Mapping[str, str]) -> None:
    """Raises a UserError for the first node that has another Python or other packages than this process."""
    names = [*PACKAGES, "ray"]
    if not (Path.cwd() / __package__.partition(".")[0]).is_dir():  # else it is sent
        names.append("cats-and-sums")

    def versions() -> dict[str, str]:  # nested, so that Ray sends its code: the node may have no such module
        found = {"Python": ".".join(platform.python_version_tuple()[:2])}
        for name in names:
            try:
                found[name] = version(name)
            except PackageNotFoundError:
                found[name] = "none"
        return found

    task = ray.remote(num_cpus=0, max_retries=0)(versions)
    pinned = {node: NodeAffinitySchedulingStrategy(node, soft=False) for node in nodes}
    refs = {node: task.options(scheduling_strategy=where).remote() for node, where in pinned.items()}
    for node, ref in refs.items():
        try:
            there = ray.get(ref, timeout=NODE_SECONDS)
        except exceptions.RayError as error:
            if isinstance(error, exceptions.TaskUnschedulableError) or node not in _alive():
                continue  # it was lost since then
            raise UserError(f"node {nodes[node]}: runs no task: {one_line(error)}") from None
        for name, here in versions().items():
            if there[name] != here:
                both = f"has {name} {there[name]}, this machine has {here}"
                raise UserError(f"node {nodes[node]}: {both}; install the packages of one lock file on all")
