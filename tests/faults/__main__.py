"""Does to stores, inputs and processes what happens to them, and prints a table of what that cost.

make faults                      # all of it: about four hours on 2 cores
make faults ONLY=kills SCALE=0.1 # one part, a tenth as often; of another name, it lists them
make faults ONLY=kills SEED=3    # other faults; a fault that cost something is printed with its seed
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.faults import Faults, Part, cluster, disk, inputs, kills, studies, together

PARTS: Mapping[str, Part] = {
    "kills": kills.kills,
    "disk": disk.full_disk,
    "promoters": together.promoters,
    "images": inputs.images,
    "archives": inputs.archives,
    "requests": inputs.requests,
    "metrics": together.metrics,
    "trials": studies.trials,
    "joiners": studies.joiners,
    "speed-up": studies.speed_up,
    "restarts": studies.restarts,
    "cluster": cluster.cluster,
}
IN_A_NAMESPACE = ["unshare", "--map-root-user", "--mount"]
"""Lets the part that needs it mount a small disk, which nobody else sees and which goes with the process."""


def main(arguments: Sequence[str]) -> int:
    """Runs the requested part, or each in a process of its own; returns 1 where a fault cost something."""
    options = {"only": "", "scale": "1", "seed": "0"}
    for name, _, value in (argument.removeprefix("--").partition("=") for argument in arguments):
        if name.lower() not in options:
            sys.exit(f"error: unknown option {name!r}; allowed are {', '.join(options)}")
        options[name.lower()] = value
    if options["only"] and options["only"] not in PARTS:
        sys.exit(f"error: only: got {options['only']!r}; allowed are {', '.join(PARTS)}")
    if not options["only"]:
        rest = [f"--scale={options['scale']}", f"--seed={options['seed']}"]
        return max(_run([f"--only={name}", *rest], name) for name in PARTS)
    if options["only"] == "disk" and "FAULTS_MAY_MOUNT" not in os.environ:
        return _run(arguments, "disk")

    os.environ.setdefault("CATS_AND_SUMS_COMMIT", "none false")  # git would be asked by every process
    table = Table("what", "must be", "measured", title_justify="left", min_width=100)
    with tempfile.TemporaryDirectory() as folder:
        faults = Faults(int(options["seed"]), float(options["scale"]), Path(folder))
        for row in PARTS[options["only"]](faults):
            table.add_row(*row)
    Console(soft_wrap=True).print(table)
    return bool(faults.found)


def _run(arguments: Sequence[str], name: str) -> int:
    command, environment = [sys.executable, "-m", "tests.faults", *arguments], dict(os.environ)
    if name == "disk":
        if not shutil.which("unshare") or subprocess.run([*IN_A_NAMESPACE, "true"], check=False).returncode:
            print("disk: not measured, as this machine lets no small disk be mounted (unshare --map-root-user --mount)")
            return 0
        command, environment = [*IN_A_NAMESPACE, *command], environment | {"FAULTS_MAY_MOUNT": "1"}
    return subprocess.run(command, check=False, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
