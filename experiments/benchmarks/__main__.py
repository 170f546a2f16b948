"""Measures what README.md states and prints a table of it, each row beside its target.

make bench                    # all of it: about 45 minutes on 2 cores; let nothing else run
make bench ONLY=throughput    # one part; of another name, it lists them
"""

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence

from rich.console import Console
from rich.table import Table

from experiments.benchmarks import Row, learning, serving, speed, stock
from library.framework.environment import start_keras

# Each with the number of threads that suits it; None: one for each core, as the stock loop would have anywhere.
PARTS: Mapping[str, tuple[Callable[[], Iterator[Row]], int | None]] = {
    "study": (learning.study, 1),
    "time-to-99": (learning.time_to_99, 1),
    "stock": (stock.learning, None),
    "throughput": (speed.throughput, None),
    "pipeline": (speed.pipeline, None),
    "images": (speed.images, None),
    "overhead": (speed.overhead, 1),
    "serving": (serving.serving, 1),
    "exact-match": (learning.exact_match, 1),
    "search": (learning.search, 1),
}


def main(arguments: Sequence[str]) -> None:
    """Measures the requested parts, each in a new process if there are several."""
    names = [argument.lower().removeprefix("--only=") for argument in arguments] or list(PARTS)
    if unknown := [name for name in names if name not in PARTS]:
        sys.exit(f"error: only: got {unknown[0]!r}; allowed are {', '.join(PARTS)}")
    if len(names) > 1:
        for name in names:
            subprocess.run([sys.executable, "-m", "experiments.benchmarks", f"--only={name}"], check=True)  # noqa: S603
        return
    measure, num_threads = PARTS[names[0]]
    start_keras(num_threads)
    table = Table("what", "measured", "target", title=str(measure.__doc__), title_justify="left", min_width=100)
    for row in measure():
        table.add_row(*row)
    Console(soft_wrap=True).print(table)


if __name__ == "__main__":
    main(sys.argv[1:])
