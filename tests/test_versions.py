"""The life of a version: listed, promoted, archived, rolled back, remembered; by many at once, and through crashes."""

import itertools
import multiprocessing
import os
import re
import shutil
import signal
import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import mlflow
import pytest
import sqlalchemy

from experiments.__main__ import main
from library import listing, registry, tracking
from library.errors import NotRegistered, StoreError, UserError
from library.experiment import Scores
from library.registry import scores, stages, succession
from library.registry.succession import Term
from tests.test_registry import NAME, aliases, register
from tests.test_registry import stages as stages_now

BEGUN = datetime(2026, 7, 1, tzinfo=UTC)
WRITES = {
    "set_model_version_tag": 1,
    "set_registered_model_tag": 2,
    "transition_model_version_stage": 1,
    "set_registered_model_alias": 2,
    "delete_registered_model_tag": 1,
}
"""How often each is called for one promotion."""


@pytest.fixture(autouse=True)
def _handler() -> Iterator[None]:
    handler = signal.getsignal(signal.SIGTERM)  # which main sets
    yield
    signal.signal(signal.SIGTERM, handler)


def clone(version: str, times: int) -> list[str]:
    """More versions of the same files, without the time that logging takes."""
    one, client = mlflow.MlflowClient().get_model_version(NAME, version), mlflow.MlflowClient()
    origin = {"run_id": one.run_id, "tags": one.tags, "model_id": one.model_id}
    return [str(client.create_model_version(NAME, one.source, **origin).version) for _ in range(times)]


def three(store: tracking.Store, folder: Path) -> None:
    """Versions 1, 2 and 3, of which the last is in Production and the others were before."""
    first = register(store, folder, "01")
    for version in [first, *clone(first, 2)]:
        registry.appoint(NAME, version, force=True)


def past() -> list[tuple[str | None, str]]:
    """Who was in Production and why, oldest first."""
    return [(term.version, term.reason) for term in registry.history(NAME)]


def transition(version: str, stage: str) -> None:
    """What MLflow's own pages do."""
    with warnings.catch_warnings(action="ignore", category=FutureWarning):
        mlflow.MlflowClient().transition_model_version_stage(NAME, version, stage)


def test_a_promotion_by_hand_is_judged_unless_forced(store: tracking.Store, tmp_path: Path) -> None:
    registry.promote(NAME, register(store, tmp_path, "0" * 10))
    register(store, tmp_path, "1" * 10)
    register(store, tmp_path, "1" * 10)
    assert registry.appoint(NAME, "2").reason.startswith("beats version 1: better on 10, worse on 0 of 10")
    with pytest.raises(UserError, match=r"version 3: does not beat version 2 by .*; FORCE=1 does it all the same$"):
        registry.appoint(NAME, "3")
    assert stages_now() == {"1": "Archived", "2": "Production", "3": "None"}
    assert registry.appoint(NAME, "3", "Staging").reason == "asked for"
    assert registry.appoint(NAME, "3", force=True).reason == "forced"
    assert stages_now() == {"1": "Archived", "2": "Archived", "3": "Production"}
    assert aliases() == {"archived": "2", "production": "3"}


def test_archived_and_failed_versions_are_refused_unless_forced(store: tracking.Store, tmp_path: Path) -> None:
    first = register(store, tmp_path, "01")
    clone(first, 3)
    registry.appoint(NAME, "2", "Archived")
    with closing(sqlite3.connect(store.root / "mlflow.db")) as database, database:
        database.execute("UPDATE model_versions SET status = 'FAILED_REGISTRATION' WHERE version = 3")
    mlflow.MlflowClient().set_terminated(mlflow.MlflowClient().get_model_version(NAME, "1").run_id, "FAILED")
    for version, told in {
        "1": "its run .* ended FAILED",
        "2": "is archived",
        "3": "was not registered in full",
    }.items():
        for stage in ("Staging", "Production"):
            with pytest.raises(UserError, match=f"^model 'tiny' version {version}: {told}.*; FORCE=1"):
                registry.appoint(NAME, version, stage)
        assert registry.appoint(NAME, version, force=True).stage == "Production"


def test_production_is_not_left_without_a_version_unless_forced(store: tracking.Store, tmp_path: Path) -> None:
    three(store, tmp_path)
    for stage in ("Staging", "Archived"):
        with pytest.raises(UserError, match="version 3: is in Production, and none would be left there"):
            registry.appoint(NAME, "3", stage)
    with pytest.raises(UserError, match=r"version 2: is in Archived already$"):
        registry.appoint(NAME, "2", "Archived")
    with pytest.raises(UserError, match=r"version 3: is in Production already$"):
        registry.appoint(NAME, "3", force=True)
    registry.appoint(NAME, "3", "Archived", force=True)
    with pytest.raises(NotRegistered, match="no version in stage Production; there is version 3 in Archived"):
        registry.load(NAME)
    assert aliases() == {"archived": "3"}
    assert past()[-1] == (None, "version 3 went to Archived")
    assert registry.rollback(NAME).version == "3"


def test_files_that_changed_go_nowhere_even_if_forced(store: tracking.Store, tmp_path: Path) -> None:
    register(store, tmp_path, "01")
    next(store.root.rglob("units.txt")).write_text("99")
    with pytest.raises(UserError, match="version 1: its files are not those that were registered"):
        registry.appoint(NAME, "1", force=True)
    assert stages_now() == {"1": "None"}


def test_a_rollback_goes_back_step_by_step(store: tracking.Store, tmp_path: Path) -> None:
    three(store, tmp_path)
    assert registry.rollback(NAME) == registry.Promotion("2", "Production", "rolled back from 3")
    assert stages_now() == {"1": "Archived", "2": "Production", "3": "Archived"}
    assert registry.rollback(NAME).version == "1"
    with pytest.raises(UserError, match="no other version was in Production before"):
        registry.rollback(NAME)
    registry.appoint(NAME, "3", force=True)
    assert registry.rollback(NAME).version == "1"
    assert [version for version, _ in past()] == ["1", "2", "3", "2", "1", "3", "1"]


def test_a_rollback_passes_over_what_was_deleted_and_refuses_what_was_changed(
    store: tracking.Store, tmp_path: Path
) -> None:
    three(store, tmp_path)
    mlflow.MlflowClient().delete_model_version(NAME, "2")
    assert registry.rollback(NAME).version == "1"
    registry.appoint(NAME, "3", force=True)
    next(store.root.rglob("units.txt")).write_text("99")
    with pytest.raises(UserError, match="version 1: its files are not those that were registered"):
        registry.rollback(NAME)
    assert stages_now() == {"1": "Archived", "3": "Production"}


def test_the_history_says_who_when_and_why_and_travels_with_the_store(store: tracking.Store, tmp_path: Path) -> None:
    registry.promote(NAME, register(store, tmp_path, "0" * 10))
    registry.promote(NAME, register(store, tmp_path, "1" * 10))
    before = registry.history(NAME)
    assert [(term.version, term.reason) for term in before] == [
        ("1", "the first version: there was no holder to beat"),
        ("2", "beats version 1: better on 10, worse on 0 of 10 common test examples, p = 0.002"),
    ]
    assert before[0].until == before[1].since <= datetime.now(UTC)
    assert before[1].until is None
    with tracking.open_store(Path(shutil.copytree(store.root, tmp_path / "elsewhere"))):
        assert registry.history(NAME) == before


@pytest.mark.parametrize(
    ("told", "line"),
    [
        ([("1", ""), ("2", ""), ("3", "")], ["1", "2", "3"]),
        ([("1", ""), ("2", ""), ("1", "rolled back from 2")], ["1"]),
        ([("1", ""), ("2", ""), ("1", "forced")], ["1", "2", "1"]),
        ([("1", ""), ("2", ""), (None, ""), ("2", "rolled back from none")], ["1", "2"]),
        ([], []),
    ],
)
def test_what_was_rolled_back_is_not_gone_back_to(told: list[tuple[str | None, str]], line: list[str]) -> None:
    assert succession.lineage([Term(version, BEGUN, None, reason) for version, reason in told]) == line


@pytest.mark.parametrize(("write", "nth"), [(write, nth + 1) for write, n in WRITES.items() for nth in range(n)])
def test_what_a_crash_leaves_half_done_is_finished_by_the_next_command(
    store: tracking.Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: str, nth: int
) -> None:
    three(store, tmp_path)
    calls, done = [], getattr(mlflow.MlflowClient, write)

    def crash(*arguments: object, **settings: object) -> object:
        calls.append(arguments)
        if len(calls) == nth:
            raise KeyboardInterrupt
        return done(*arguments, **settings)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(mlflow.MlflowClient, write, crash)
        registry.appoint(NAME, "1", force=True)
    assert registry.load(NAME).predict(["?"]) == ["2"]
    [holder] = [entry.version for entry in registry.overview() if entry.stage == "Production"]
    assert aliases()["production"] == holder
    assert past() == [(version, "forced") for version in ("1", "2", "3", *(["1"] if holder == "1" else []))]
    assert stages.PROMOTING not in mlflow.MlflowClient().get_registered_model(NAME).tags


def die_between_the_writes(root: Path) -> None:
    tracking.Store(root).connect()
    stages.settle = lambda *_: None if stages_now()["1"] != "Production" else os._exit(9)  # type: ignore[assignment]
    registry.appoint(NAME, "1", force=True)


def test_a_dead_writer_blocks_nobody_and_its_reason_is_kept(store: tracking.Store, tmp_path: Path) -> None:
    three(store, tmp_path)
    dying = fresh_processes().Process(target=die_between_the_writes, args=(store.root,))
    dying.start()
    dying.join()
    assert dying.exitcode == 9
    assert (stages_now()["1"], aliases()["production"]) == ("Production", "3")
    assert past()[-1] == ("1", "forced")
    assert aliases()["production"] == "1"


def test_what_was_changed_by_other_means_is_taken_over(store: tracking.Store, tmp_path: Path) -> None:
    three(store, tmp_path)
    transition("2", "Production")  # beside 3, as MLflow's pages can
    registry.overview()
    assert stages_now() == {"1": "Archived", "2": "Archived", "3": "Production"}
    transition("3", "Archived")
    transition("1", "Production")
    registry.overview()
    assert past()[-1] == ("1", succession.UNKNOWN)
    assert aliases() == {"archived": "3", "production": "1"}


def test_the_list_shows_every_version(store: tracking.Store, tmp_path: Path) -> None:
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


def test_the_list_takes_as_many_queries_however_many_versions_there_are(store: tracking.Store, tmp_path: Path) -> None:
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
    tags = scores.headline(Scores(metrics, {str(i): float(one) for i, one in enumerate(outcomes)}))
    found = scores.of_tags({key: str(value) for key, value in tags.items()})
    assert found
    assert (found.name, found.value) == named[:2]
    assert (found.low, found.high) == pytest.approx(named[2:], abs=1e-4)


def test_the_score_of_an_older_version_is_the_one_with_an_interval() -> None:
    tags = {"test/a": "1", "test/b": "0.5", "test/b_low": "0.4", "test/b_high": "0.6"}
    assert str(scores.of_tags(tags)) == "b 0.5 (0.4 to 0.6)"
    assert scores.of_tags({"test/a": "1"}) is None
    assert scores.headline(Scores({"test/a": 1.0}, {})) == {}


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(-1, "0 seconds"), (119, "119 seconds"), (120, "2 minutes"), (7200, "2 hours"), (172_800, "2 days")],
)
def test_ages_are_told_by_their_largest_unit(seconds: float, told: str) -> None:
    assert listing.age(seconds) == told


def test_sizes_are_told_in_kb_or_mb() -> None:
    assert [listing.size(count) for count in (900, 99_900, 1_234_567)] == ["0.9 kB", "99.9 kB", "1.2 MB"]


def test_the_commands_do_and_tell_it(store: tracking.Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
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
    store: tracking.Store, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], line: str
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


def test_versions_are_moved_where_the_store_lies(store: tracking.Store) -> None:
    mlflow.set_tracking_uri("http://127.0.0.1:1")
    with pytest.raises(StoreError, match=r"^store http://127.0.0.1:1: versions are registered and moved where"):
        tracking.connected()


def fresh_processes() -> multiprocessing.context.ForkServerContext:
    """Processes that share no connection with this one, and import but once."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["library.registry"])
    return context


def promote_again_and_again(
    root: Path, version: str, rounds: int, together: "multiprocessing.synchronize.Barrier"
) -> None:
    tracking.Store(root).connect()
    for _ in range(rounds):
        together.wait()
        registry.move(NAME, version, "Production")


@pytest.mark.parametrize(("promoters", "rounds"), [(4, 3), pytest.param(20, 5, marks=pytest.mark.slow)])
def test_many_promote_at_once_and_every_reader_finds_one_version(
    store: tracking.Store, tmp_path: Path, promoters: int, rounds: int
) -> None:
    first = register(store, tmp_path, "01")
    versions = [first, *clone(first, promoters - 1)]
    registry.move(NAME, first, "Production")
    context = fresh_processes()
    together = context.Barrier(promoters)
    running = [
        context.Process(target=promote_again_and_again, args=(store.root, version, rounds, together))
        for version in versions
    ]
    for process in running:
        process.start()
    reads = 0
    with closing(sqlite3.connect(store.root / "mlflow.db", timeout=20)) as database:
        while any(process.is_alive() for process in running):
            counted = "SELECT COUNT(*) FROM model_versions WHERE current_stage = 'Production'"
            assert database.execute(counted).fetchone() == (1,)
            assert registry.load(NAME).predict(["?"]) == ["2"]
            assert mlflow.pyfunc.load_model(f"models:/{NAME}/Production").predict(["?"]) == ["2"]
            assert mlflow.pyfunc.load_model(f"models:/{NAME}@production").predict(["?"]) == ["2"]
            reads += 1
    assert [process.exitcode for process in running] == [0] * promoters
    assert reads
    print(f"{promoters} promoters, {rounds} rounds, {reads} rounds of reading")
    terms = registry.history(NAME)
    assert all(a.version != b.version for a, b in itertools.pairwise(terms))
    assert len(terms) > rounds
    assert [version for version, stage in stages_now().items() if stage == "Production"] == [terms[-1].version]
    assert aliases()["production"] == terms[-1].version
