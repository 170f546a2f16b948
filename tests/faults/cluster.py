"""Studies of several machines, each a network namespace: one is killed, one cut off, the command killed and resumed."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import optuna
import psutil
from optuna.study import Study
from optuna.trial import TrialState

from library import open_store
from library.framework.registry.queries import versions
from library.framework.tracking.queries import all_runs
from library.framework.tuning.search import existing_storage
from library.framework.tuning.trials import finished_of
from tests.faults import Faults, Row
from tests.postgres import Postgres
from tests.ray_node import Node

NETWORK, HOST = "10.99.0", "10.99.0.1"
TRIALS = 12
STUDY = (
    "--study=s", f"--trials={TRIALS}", "--sampler=grid", "--pruner=none", "--encoder-depth=1", "--embedding-size=16",
    "--learning-rate=0.004", "--weight-decay=0.1", "--batch-size=64", "--epochs=4", "--steps-per-epoch=60",
)  # fmt: skip
"""Each config of a grid once, so that no order of the trials changes which they are."""
CUT_SECONDS = 75
"""After 60 a machine counts as dead."""


class Machine:
    """A network namespace with an address of its own, and a cable that can be cut."""

    def __init__(self, number: int) -> None:
        self.address, self._name = f"{NETWORK}.{number}", f"faults{number}"
        self.prefix = ("ip", "netns", "exec", self._name)
        for line in (
            f"netns add {self._name}", f"link add {self._name} type veth peer name eth0 netns {self._name}",
            f"link set {self._name} master faults up", f"-n {self._name} addr add {self.address}/24 dev eth0",
            f"-n {self._name} link set eth0 up", f"-n {self._name} link set lo up",
        ):  # fmt: skip
            _ip(line)

    def kill(self) -> None:
        """Kills all that runs on it at once."""
        listed = subprocess.run(["ip", "netns", "pids", self._name], capture_output=True, text=True, check=True)  # noqa: S607
        for process in map(int, listed.stdout.split()):
            os.kill(process, signal.SIGKILL)

    def cut(self, seconds: float) -> None:
        """Cuts it off for a time."""
        _ip(f"link set {self._name} down")
        time.sleep(seconds)
        _ip(f"link set {self._name} up")

    def remove(self) -> None:
        """Kills all that runs on it, and removes it."""
        self.kill()
        _ip(f"netns del {self._name}")


@contextmanager
def _machines(number: int) -> Iterator[list[Machine]]:
    """Machines that reach this one at `HOST`."""
    with ExitStack() as stack:
        _ip("link add faults type bridge")
        stack.callback(_ip, "link del faults")
        _ip(f"addr add {HOST}/24 dev faults")
        _ip("link set faults up")
        found = []
        for one in range(number):
            found.append(Machine(one + 2))
            stack.callback(found[-1].remove)
        yield found


def _ip(line: str) -> None:
    subprocess.run(["ip", *line.split()], check=True)  # noqa: S607


def cluster(faults: Faults) -> Iterator[Row]:
    """A study on a Ray cluster, then one of a command and others that join it, each against an undisturbed one."""
    if os.geteuid() != 0:
        yield "studies of several machines", "", "0 faults, as not measured: network namespaces need root"
        return
    with open_store(faults.folder / "undisturbed") as store:
        _finish(_command("tune", "seq2seq", *STUDY, "--workers=2", f"--store={store}"))
        undisturbed = _values(_study(store))
    with _machines(3) as machines, closing(Postgres(HOST)) as server:
        for name, run in {"Ray": _on_ray, "joiners": _with_joiners}.items():
            began, folder = time.monotonic(), faults.folder / name
            where = f"--store={server.create(name.lower())}", f"--artifacts={folder}"
            with open_store(server.address(name.lower()), artifacts=str(folder)) as shared:
                disturbances = run(machines, where, lambda: len(finished_of(_study(shared).trials)))
                for machine in machines:
                    machine.kill()
                _check(faults, name, _study(shared), undisturbed)
            yield (
                f"{TRIALS} trials by {name}: {disturbances}",
                "as undisturbed, none twice, one winner",
                f"{faults.measured} in {time.monotonic() - began:.0f} s",
            )


def _on_ray(machines: list[Machine], where: tuple[str, str], finished: Callable[[], int]) -> str:
    head = Node(host=HOST, cpus=0)
    for machine in machines:
        Node(head.address, host=machine.address, prefix=machine.prefix)
    line = ("tune", "seq2seq", *STUDY, "--workers=3", "--engine=ray", f"--address={head.address}", *where)
    driver = _command(*line)
    _wait(finished, 1)
    machines[0].kill()
    _wait(finished, 3)
    machines[1].cut(CUT_SECONDS)
    _wait(finished, 6)
    _kill(driver)
    _finish(_command(*line))
    head.kill()
    return "a machine killed, one cut off and back, the command killed"


def _with_joiners(machines: list[Machine], where: tuple[str, str], finished: Callable[[], int]) -> str:
    driver = _command("tune", "seq2seq", *STUDY, "--workers=1", *where)
    _wait(finished, 1)
    for machine in machines[:2]:
        _command("work", "--study=s", *where, prefix=machine.prefix)
    _wait(finished, 4)
    machines[0].kill()
    _finish(driver)
    return "of two joiners one killed"


def _command(*arguments: str, prefix: tuple[str, ...] = ()) -> subprocess.Popen[bytes]:
    return subprocess.Popen([*prefix, sys.executable, "-m", "experiments", *arguments])


def _finish(process: subprocess.Popen[bytes]) -> None:
    if process.wait() != 0:
        raise RuntimeError(f"exit status {process.returncode}")


def _kill(process: subprocess.Popen[bytes]) -> None:
    for one in [*psutil.Process(process.pid).children(recursive=True), process]:
        one.send_signal(signal.SIGKILL)
    process.wait()


def _study(store: Any) -> Study:
    return optuna.load_study(study_name="s", storage=existing_storage(store))


def _wait(finished: Callable[[], int], number: int) -> None:
    """Until so many trials are finished."""
    while True:
        try:
            if finished() >= number:
                return
        except KeyError:  # there is no study yet
            pass
        time.sleep(0.5)


def _values(study: Study) -> Mapping[str, Any]:
    return {str(sorted(one.params.items())): one.values for one in study.trials if one.state is TrialState.COMPLETE}


def _check(faults: Faults, name: str, study: Study, undisturbed: Mapping[str, Any]) -> None:
    """Notes what is not as in a study that nothing disturbed."""
    done = finished_of(study.trials)
    if (found := Counter(str(sorted(one.params.items())) for one in done)) != Counter(dict.fromkeys(undisturbed, 1)):
        faults.add(name, f"the finished configs are {found}")
    if _values(study) != undisturbed:
        faults.add(name, f"values {_values(study)} instead of {undisturbed}")
    if running := [one.number for one in study.trials if not one.state.is_finished()]:
        faults.add(name, f"trials {running} have not ended")
    if running := [run.id for run in all_runs() if run.status == "RUNNING"]:
        faults.add(name, f"runs {running} are RUNNING")
    if len(found := versions()) != 1:
        faults.add(name, f"{len(found)} versions")
