"""What is told of versions: their list, their scores, and the lines of the commands that move them."""

import re
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import mlflow
import pytest
import sqlalchemy

from experiments.__main__ import main
from library.framework import formatting, registry, statistics
from library.framework.experiment import Scores
from library.framework.tracking.store import Store
from tests.versions import NAME, clone, register, three


@pytest.fixture(autouse=True)
def _handler() -> Iterator[None]:
    handler = signal.getsignal(signal.SIGTERM)  # which main sets
    yield
    signal.signal(signal.SIGTERM, handler)


def test_the_list_shows_every_version(store: Store, tmp_path: Path) -> None:
    registry.promote(NAME, register(store, tmp_path, "0001"))
    register(store, tmp_path, "0011")
    newer, older = registry.overview()
    assert (older.model, older.version, older.stage, newer.version, newer.stage) == (NAME, "1", "Production", "2", None)
    assert str(older.score) == "accuracy 0.25 (0.04559 to 0.6994)"  # Wilson's, of 1 of 4
    assert str(newer.score) == "outcome 0.5 (0.15 to 0.85)"
    assert mlflow.get_run(older.run).info.run_name == "run"
    assert 0 <= (datetime.now(UTC) - older.created).total_seconds() < 600
    files = [
        path for path in store.root.rglob("artifacts/**/*") if path.is_file() and f"/{older.run}/" not in str(path)
    ]
    assert older.bytes
    assert 0 < older.bytes < sum(path.stat().st_size for path in files)


def test_the_list_takes_as_many_queries_however_many_versions_there_are(store: Store, tmp_path: Path) -> None:
    three(store, tmp_path)
    statements: list[str] = []

    def note(connection: object, cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", note)
    try:
        counts = []
        for more in (0, 20):
            clone("1", more)
            statements.clear()
            assert len(registry.overview()) == 3 + more
            counts.append(len(statements))
    finally:
        sqlalchemy.event.remove(sqlalchemy.Engine, "before_cursor_execute", note)
    assert counts[0] == counts[1] < 25


@pytest.mark.parametrize(
    ("metrics", "outcomes", "named"),
    [
        ({"test/other": 0.5, "test/right": 0.75}, [1, 1, 1, 0], ("test/right", 0.75, 0.3006, 0.9544)),
        ({"test/error": 2.0}, [-1, -2, -3], ("test/error", 2.0, 0.8684, 3.1316)),
        ({"test/error": 9.0}, [1, 2, 3], ("test/outcome", 2.0, 0.8684, 3.1316)),
    ],
)
def test_a_version_is_known_by_what_promotion_compares(
    metrics: dict[str, float], outcomes: list[float], named: tuple[str, float, float, float]
) -> None:
    tags = statistics.headline(Scores(metrics, {str(i): float(one) for i, one in enumerate(outcomes)}))
    found = statistics.of_tags({key: str(value) for key, value in tags.items()})
    assert found
    assert (found.name, found.value) == named[:2]
    assert (found.low, found.high) == pytest.approx(named[2:], abs=1e-4)


def test_the_score_of_an_older_version_is_the_one_with_an_interval() -> None:
    tags = {"test/a": "1", "test/b": "0.5", "test/b_low": "0.4", "test/b_high": "0.6"}
    assert str(statistics.of_tags(tags)) == "b 0.5 (0.4 to 0.6)"
    assert statistics.of_tags({"test/a": "1"}) is None
    assert statistics.headline(Scores({"test/a": 1.0}, {})) == {}


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(-1, "0 seconds"), (119, "119 seconds"), (120, "2 minutes"), (7200, "2 hours"), (172_800, "2 days")],
)
def test_ages_are_told_by_their_largest_unit(seconds: float, told: str) -> None:
    assert formatting.age(seconds) == told


def test_sizes_are_told_in_kb_or_mb() -> None:
    assert [formatting.size(count) for count in (900, 99_900, 1_234_567)] == ["0.9 kB", "99.9 kB", "1.2 MB"]


def test_the_commands_do_and_tell_it(store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def told(verb: str, *flags: str) -> list[str]:
        assert main([verb, f"--store={store.root}", *flags]) == 0
        return capsys.readouterr().out.splitlines()

    of_it = f"--MODEL={NAME}"
    assert told("models") == ["no model is registered yet; train or tune one first"]
    first = register(store, tmp_path, "0001")
    assert told("history", of_it) == ["no version of tiny was in Production yet"]
    assert told("promote", of_it, "--VERSION=1") == [
        "tiny version 1 is in Production: the first version: there was no holder to beat"
    ]
    clone(first, 2)
    assert told("promote", of_it, "--version=2", "--stage=Staging") == ["tiny version 2 is in Staging: asked for"]
    assert told("promote", of_it, "--version=2", "--FORCE=1") == ["tiny version 2 is in Production: forced"]
    assert told("rollback", of_it) == ["tiny version 1 is in Production: rolled back from 2"]
    assert told("archive", of_it, "--version=3") == ["tiny version 3 is in Archived: asked for"]
    heading, *rows = told("models")
    assert heading.split() == ["model", "version", "stage", "score", "(95", "%", "interval)", "run", "age", "size"]
    assert [row.split()[:7] for row in rows] == [
        ["tiny", version, stage, "accuracy", "0.25", "(0.04559", "to"]
        for version, stage in [("3", "Archived"), ("2", "Archived"), ("1", "Production")]
    ]
    heading, *rows = told("history", of_it)
    assert heading.split() == ["version", "in", "Production", "from", "until", "because"]
    last, middle, _ = cells = [re.split(" {2,}", row.strip()) for row in rows]
    assert [(cell[0], cell[3]) for cell in cells] == [
        ("1", "rolled back from 2"),
        ("2", "forced"),
        ("1", "the first version: there was no holder to beat"),
    ]
    assert (middle[2], last[2]) == (last[1], "now")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["promote", "--model=tony", "--version=1"], "model 'tony': not registered; there is tiny"),
        (["history", "--model=tony"], "model 'tony': not registered; there is tiny"),
        (["rollback", "--model=a/b"], "model 'a/b': not registered; there is tiny"),
        (["rollback", "--model=it's"], 'model "it\'s": not registered; there is tiny'),
        (
            ["promote", "--model=tiny", "--version=9"],
            "model 'tiny': no version 9; there is version 12 in no stage, version 11 in no stage, version 10 in no "
            "stage, version 9",
        ),
        (["archive", "--model=tiny", "--version=1"], "model 'tiny' version 1: is in Production, and none would be"),
    ],
    ids=" ".join,
)
def test_what_does_not_exist_or_go_is_one_line(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], line: str
) -> None:
    registry.promote(NAME, register(store, tmp_path, "01"))
    clone("1", 11)
    mlflow.MlflowClient().delete_model_version(NAME, "9")
    assert main([*arguments, f"--store={store.root}"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"error: {line.removesuffix(', version 9')}")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["models", "--store=nowhere"], "store nowhere: there is none; train or tune first, or give STORE=folder"),
        (["promote", "--version=1"], "model: nothing was given; it is name in the registry, such as"),
        (["promote", "--model=tiny"], "version: nothing was given; it is number of the version"),
        (["promote", "--model=tiny", "--version=v3"], "version: got 'v3'; allowed is a valid integer"),
        (
            ["promote", "--model=tiny", "--version=3", "--stage=Prod"],
            "stage: got 'Prod'; allowed is 'Staging', 'Production' or 'Archived'",
        ),
        (
            ["archive", "--model=tiny", "--version=3", "--stage=Staging"],
            "unknown option '--stage'; allowed are --force",
        ),
    ],
    ids=" ".join,
)
def test_a_bad_argument_is_one_line_and_makes_no_store(
    arguments: list[str],
    line: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith(f"error: {line}")
    assert list(tmp_path.iterdir()) == []
