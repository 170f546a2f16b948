"""What every engine does, and comparisons on it: workers of this machine, and of a Ray cluster."""

import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from library import Comparison, open_store
from library.framework.comparison.grid import ComparisonResult
from library.framework.engines import Engine, Exit, open_engine
from library.framework.errors import UserError
from library.framework.options import EngineOptions
from library.framework.tracking.queries import all_runs
from library.framework.tracking.store import Store
from tests import tiny

ON_RAY = pytest.param("ray", marks=pytest.mark.nightly)

UNITS = Comparison(
    experiment=tiny.Tiny,
    metric="test/accuracy",
    along=("units", (2, 4)),
    lines=("learning_rate", (0.01, 0.1)),
    paired=True,
)


def returns(row: Any) -> tuple[int, str]:
    """Ends well, with what it found."""
    return 0, "found"


def refuses(row: Any) -> tuple[int, str]:
    """Ends with a code and what is wrong."""
    return 3, "wrong"


def raises(row: Any) -> tuple[int, str]:
    """Fails as a bug does."""
    raise RuntimeError("a bug")


def dies(row: Any) -> tuple[int, str]:
    """Is killed, as for want of memory."""
    os.kill(os.getpid(), signal.SIGKILL)
    return 0, ""


def waits(row: Any) -> tuple[int, str]:
    """Reports, and works for ever."""
    row[:] = [7, 2, 9]
    signal.pause()
    return 0, ""


@pytest.fixture(params=["local", ON_RAY])
def options(request: pytest.FixtureRequest) -> EngineOptions:
    """Of each kind of engine."""
    if request.param == "local":
        return EngineOptions(workers=2)
    return EngineOptions(engine="ray", address=request.getfixturevalue("head").address, workers=2, cpus=0.5)


@pytest.fixture
def engine(options: EngineOptions, postgres_store: Store) -> Iterator[Engine]:
    """An engine of each kind, with nothing under way."""
    with open_engine(options, postgres_store) as opened:
        yield opened


def exits(engine: Engine) -> Mapping[str, Exit]:
    """How all workers end; each is told of once."""
    ended: dict[str, Exit] = {}
    while engine.workers:
        new = engine.wait()
        assert not ended.keys() & new.keys()
        ended |= new
    return ended


@pytest.mark.slow
def test_how_workers_end(engine: Engine) -> None:
    works = (returns, refuses, raises, dies)
    for work in works:
        engine.start(work.__name__, work)
    assert set(engine.workers) == {work.__name__ for work in works}
    ended = exits(engine)
    assert (ended["returns"].code, ended["returns"].message) == (0, "found")
    assert (ended["refuses"].code, ended["refuses"].message[:5]) == (3, "wrong")
    assert all(ended[name].code and ended[name].reason for name in ("raises", "dies"))
    assert not any(end.is_lost for end in ended.values())


@pytest.mark.slow
def test_workers_are_seen_at_work_and_killed(engine: Engine) -> None:
    engine.start("waits", waits)
    while "waits" not in engine.rows or list(engine.rows["waits"]) != [7, 2, 9]:
        assert engine.wait() == {}
    engine.kill()
    assert list(engine.workers) == []
    engine.start("returns", returns)
    assert list(exits(engine)) == ["returns"]


def told(result: ComparisonResult) -> tuple[Sequence[Any], Sequence[Any]]:
    """A result's tables without seconds."""
    return [{**row, "seconds": 0} for row in result.rows], result.pairs


@pytest.mark.slow
def test_a_comparison_on_an_engine_ends_as_in_one_process(
    options: EngineOptions, postgres_store: Store, store_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    result = UNITS.run(postgres_store, seeds=2, **options.model_dump())
    assert {run.status for run in all_runs()} == {"FINISHED"}
    [parent] = [run for run in all_runs() if run.name == "comparison tiny"]
    assert "WORKERS=2" in parent.tags["command"]
    assert len(all_runs()) == 1 + 8
    out = capfd.readouterr().out
    assert out.count(": training") == 8
    assert "learning_rate 0.01, units 2, seed 1: training" in out
    with open_store(store_path) as store:
        assert told(UNITS.run(store, seeds=2)) == told(result)
    postgres_store.connect()
    assert told(UNITS.run(postgres_store, seeds=2, **options.model_dump())) == told(result)
    assert capfd.readouterr().out.count(": from run ") == 8


@pytest.mark.slow
@pytest.mark.parametrize("fails", ["raise", "die"])
def test_a_training_that_fails_ends_the_comparison_which_goes_on_later(
    options: EngineOptions, fails: str, postgres_store: Store, capfd: pytest.CaptureFixture[str]
) -> None:
    comparison = replace(UNITS, lines=("fails", ("none", fails)))
    with pytest.raises(UserError, match=rf"^fails {fails}, units [24], seed 0: .*; the same command goes on$"):
        comparison.run(postgres_store, **options.model_dump())
    statuses = [run.status for run in all_runs()]
    assert (set(statuses), statuses.count("FINISHED") >= 1) == ({"FINISHED", "FAILED"}, True)
    capfd.readouterr()
    result = comparison.run(postgres_store, **options.model_dump(), fails="none")
    assert [row["units"] for row in result.rows] == [2, 4]
    assert capfd.readouterr().out.count(": from run ") == statuses.count("FINISHED")
