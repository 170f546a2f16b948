"""Synthetic cats: each factor shows where it should and nowhere else; the cache is complete or drawn again."""

import functools
import multiprocessing
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from library.cats.data import synthetic
from library.cats.data.synthetic import FACTORS, PATTERNS, draw, sample_factors
from library.cats.data.synthetic import cache as disk
from library.framework.errors import UserError

NEUTRAL = {name: (factor.low + factor.high) / 2 for name, factor in FACTORS.items()} | {"grain": 7, "pattern": 0}
seeds = st.integers(0, 2**32 - 1)


def cats(**changes: Any) -> dict[str, np.ndarray]:
    """Neutral cats except for these factors, one per value."""
    return dict(zip(NEUTRAL, np.broadcast_arrays(*(NEUTRAL | changes).values()), strict=True))


def drawn(**changes: Any) -> np.ndarray:
    """One image, as signed integers."""
    return draw({name: values.reshape(1) for name, values in cats(**changes).items()})[0].astype(int)


def changed(name: str, **others: Any) -> np.ndarray:
    """Where the lowest and the highest value of a factor differ visibly, `[75, 75]` bool."""
    low, high = (drawn(**{name: value}, **others) for value in (FACTORS[name].low, FACTORS[name].high))
    return np.asarray(abs(high - low).max(axis=-1) > 2)


@st.composite
def any_cat(draw_value: st.DrawFn) -> dict[str, np.ndarray]:
    """Any one valid cat, extremes more often than by chance."""
    values = {
        name: st.integers(int(factor.low), int(factor.high)) if factor.integer else st.floats(factor.low, factor.high)
        for name, factor in FACTORS.items()
    }
    return {name: np.array([draw_value(value)]) for name, value in values.items()}


@settings(deadline=None)
@given(seeds, st.integers(0, 30), st.integers(0, 30))
def test_factors_of_a_cat_depend_on_its_seed_and_index_alone(seed: int, count: int, more: int) -> None:
    few, many = sample_factors(count, seed), sample_factors(count + more, seed)
    assert list(few) == list(many) == list(FACTORS)
    for name, factor in FACTORS.items():
        assert few[name].dtype == (np.int32 if factor.integer else np.float32)
        assert few[name].shape == (count,)
        assert ((few[name] >= factor.low) & (few[name] <= factor.high)).all()
        np.testing.assert_array_equal(few[name], many[name][:count])


def test_factors_are_spread_evenly_and_independent_of_each_other() -> None:
    given = sample_factors(30_000, 0)
    ranks = [(values - FACTORS[name].low) / (FACTORS[name].high - FACTORS[name].low) for name, values in given.items()]
    np.testing.assert_allclose(np.mean(ranks, axis=1), 0.5, atol=0.01)
    np.testing.assert_allclose(np.corrcoef(ranks), np.eye(len(FACTORS)), atol=0.02)
    assert abs(np.bincount(given["pattern"]) / 30_000 - 1 / len(PATTERNS)).max() < 0.01
    assert not np.array_equal(given["yaw"], sample_factors(30_000, 1)["yaw"])


@settings(deadline=None, max_examples=10)
@given(seeds, st.permutations(range(6)))
def test_a_cat_is_drawn_alike_in_any_batch(seed: int, order: list[int]) -> None:
    given = sample_factors(6, seed)
    images = draw(given)
    assert images.shape == (6, 75, 75, 3)
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(draw({name: values[order] for name, values in given.items()}), images[order])
    np.testing.assert_array_equal(draw({name: values[:2] for name, values in given.items()}), images[:2])


def test_no_two_cats_are_alike_and_none_are_no_images() -> None:
    images = draw(sample_factors(400, 0)).reshape(400, -1).astype(np.float32)
    squares = np.square(images).sum(axis=1)
    distances = (squares[:, None] + squares - 2 * images @ images.T) / images.shape[1]  # mean squares
    assert (distances + 255**2 * np.eye(400)).min() > 12**2
    assert draw(sample_factors(0, 0)).shape == (0, 75, 75, 3)


@pytest.mark.parametrize("name", FACTORS)
def test_every_factor_changes_every_cat_within_its_range(name: str) -> None:
    given, factor = sample_factors(10, 3), FACTORS[name]
    low, high = (draw(given | {name: np.full(10, value)}) for value in (factor.low, factor.high))
    assert (np.abs(low.astype(int) - high).max(axis=-1) > 12).sum(axis=(1, 2)).min() >= 8
    for beyond in (factor.low - 1e-3, factor.high + 1e-3):
        with pytest.raises(ValueError, match=f"^{name}: got .*; allowed is a .*number from "):
            draw(cats(**{name: np.array([factor.low, beyond])}))


@settings(deadline=None, max_examples=30)
@given(any_cat(), st.sampled_from([name for name, factor in FACTORS.items() if not factor.integer]))
def test_a_small_step_of_a_factor_is_a_small_step_of_the_image(cat: dict[str, np.ndarray], name: str) -> None:
    factor = FACTORS[name]
    step = (factor.high - factor.low) / 500
    near = np.where(cat[name] + step > factor.high, cat[name] - step, cat[name] + step)
    assert abs(draw(cat).astype(int) - draw(cat | {name: near})).mean() < 1


@pytest.mark.parametrize(
    ("name", "rows", "columns"),
    [
        ("eye_colour", (32, 52), (16, 59)), ("eye_slant", (30, 54), (14, 61)), ("eye_openness", (30, 54), (14, 61)),
        ("pupil", (32, 52), (16, 59)), ("mouth", (44, 68), (0, 75)), ("ear_size", (0, 42), (5, 70)),
        ("ear_roundness", (0, 42), (5, 70)),
    ],
)  # fmt: skip
def test_a_feature_changes_where_it_is(name: str, rows: tuple[int, int], columns: tuple[int, int]) -> None:
    found = changed(name)
    assert found.any()
    found[slice(*rows), slice(*columns)] = False
    assert not found.any()


def test_patterns_can_be_stronger_the_head_follows_its_angles_and_light_falls_from_its_own() -> None:
    for pattern in range(len(PATTERNS)):
        assert changed("pattern_strength", pattern=pattern).sum() > 100

    def middle(**angles: float) -> np.ndarray:
        return np.argwhere(changed("eye_colour", **angles)).mean(axis=0)  # the mean row and column

    down, right = middle()
    assert middle(yaw=20)[1] > right + 3
    assert middle(yaw=-20)[1] < right - 3
    assert middle(pitch=10)[0] < down - 2
    leaning = changed("eye_colour", tilt=10)
    assert np.argwhere(leaning[:, 38:]).mean(axis=0)[0] > np.argwhere(leaning[:, :38]).mean(axis=0)[0] + 3
    left, right = (drawn(light_angle=angle, light_strength=1).mean(axis=-1) for angle in (-75, 75))
    head = slice(30, 60)
    assert left[head, 20:35].mean() > right[head, 20:35].mean() + 20
    assert left[head, 40:55].mean() < right[head, 40:55].mean() - 20


@settings(deadline=None, max_examples=20)
@given(any_cat(), st.floats(-75, 75), st.floats(0, 1))
def test_light_moves_no_edge(cat: dict[str, np.ndarray], angle: float, strength: float) -> None:
    walls = []
    for light in ({}, {"light_angle": np.array([angle]), "light_strength": np.array([strength])}):
        shown = [draw(cat | light | {"background": np.array([place])})[0].astype(int) for place in (0.3, 0.9)]
        walls.append(np.where(np.max(shown, axis=0) < 255, shown[1] - shown[0], 999))
    seen = (walls[0] != 999) & (walls[1] != 999)  # where fur is not so bright that it hides how thin it is
    assert abs(walls[0] - walls[1])[seen].max() <= 2
    assert seen.mean() > 0.8


@settings(deadline=None, max_examples=40)
@given(any_cat())
def test_a_cat_stays_within_the_frame(cat: dict[str, np.ndarray]) -> None:
    low, high = (draw(cat | {"background": np.array([place])})[0].astype(int) for place in (0.0, 0.6))
    wall = abs(low - high).max(axis=-1) > 20
    assert wall[:2].all()
    assert wall[:48, [0, -1]].all()
    assert not wall[50, 37]


@pytest.mark.parametrize(
    "wrong",
    [
        {name: values for name, values in cats(mouth=np.zeros(1)).items() if name != "yaw"},
        cats(mouth=np.zeros(1)) | {"whiskers": np.zeros(1)},
        cats(),  # no arrays of one axis
        {name: np.full((2, 2), value) for name, value in NEUTRAL.items()},
        cats(yaw=np.zeros(3)) | {"pitch": np.zeros(2)},
        *(cats(yaw=np.array(["0"])), cats(pupil=np.array([True])), cats(pattern=np.array([1.5]))),
        *(cats(mouth=np.array([np.nan])), cats(mouth=np.array([0, np.inf]))),
    ],
)
def test_what_is_no_cat_is_refused_in_one_line(wrong: dict[str, np.ndarray]) -> None:
    with pytest.raises(ValueError, match=r"^\w+: got .*; allowed .*$"):
        draw(wrong)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own that takes 8 cats or more; two processes draw 20."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(disk, "MIN_CACHED", 8)
    monkeypatch.setattr(disk, "PART_SIZE", 13)
    return tmp_path / "cats-and-sums"


@functools.cache
def expected() -> np.ndarray:
    return draw(sample_factors(20, 0))


def drawn_at_once(_: int) -> Iterator[bytes]:
    """Replaces the drawing processes."""
    yield expected().tobytes()


def check(loaded: tuple[np.ndarray, Mapping[str, np.ndarray]]) -> None:
    images, given = loaded
    np.testing.assert_array_equal(images, expected())
    assert list(given) == list(FACTORS)
    for name, values in sample_factors(20, 0).items():
        np.testing.assert_array_equal(given[name], values, strict=True)


def names(cache: Path) -> set[str]:
    (folder,) = cache.iterdir()
    assert folder.name.startswith("synthetic-cats-")
    assert folder.name.endswith("-20")
    return {path.name for path in folder.iterdir()} - {"lock"}


def test_many_cats_are_drawn_once_and_mapped(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images, given = synthetic.load(7)
    np.testing.assert_array_equal(images, expected()[:7])
    assert set(given) == set(FACTORS)
    assert not cache.exists()
    for count in (0, -1):
        with pytest.raises(ValueError, match=f"^count: got {count}; allowed is at least 1$"):
            synthetic.load(count)
    check(synthetic.load(20))
    assert names(cache) == {"images.npy", "factors.npz"}
    monkeypatch.setattr(disk, "draw_parts", None)
    images, given = synthetic.load(20)
    check((images, given))
    assert isinstance(images, np.memmap)
    assert not images.flags.writeable


@pytest.mark.parametrize("name", ["images.npy", "factors.npz"])
@pytest.mark.parametrize("damage", ["removed", "emptied", "cut", "garbage", "of other cats"])
def test_what_is_damaged_is_drawn_again(
    name: str, damage: str, cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(disk, "draw_parts", drawn_at_once)
    synthetic.load(20)
    (path,) = cache.rglob(name)
    np.save(tmp_path / "images.npy", expected()[:5])
    np.savez(tmp_path / "factors.npz", yaw=np.zeros(20))
    other = (tmp_path / name).read_bytes()
    contents = {"emptied": b"", "cut": path.read_bytes()[:-100], "garbage": b"cats" * 99, "of other cats": other}
    path.unlink()
    if damage in contents:
        path.write_bytes(contents[damage])
    check(synthetic.load(20))
    assert names(cache) == {"images.npy", "factors.npz"}


def test_an_interrupted_cache_is_not_taken_for_complete(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(count: int) -> Iterator[bytes]:
        yield expected()[:13].tobytes()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(disk, "draw_parts", interrupted)
        synthetic.load(20)
    assert "images.npy" not in names(cache)
    monkeypatch.setattr(disk, "draw_parts", drawn_at_once)
    check(synthetic.load(20))
    assert names(cache) == {"images.npy", "factors.npz"}


def load_in_daemon() -> None:
    disk.MIN_CACHED = 8
    check(synthetic.load(20))


def test_a_worker_process_can_load_and_two_at_once_get_the_same_cats(cache: Path) -> None:
    workers = [multiprocessing.get_context("spawn").Process(target=load_in_daemon, daemon=True) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert names(cache) == {"images.npy", "factors.npz"}


def test_a_failure_is_reported_in_one_line_and_a_relative_cache_folder_ignored(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "false")
    with pytest.raises(UserError, match=r"^synthetic cats: a drawing process ended with exit code 1; start again$"):
        synthetic.load(20)
    assert "images.npy" not in names(cache)
    cache.rename(tmp_path / "elsewhere")
    cache.write_text("a file where a folder should be")
    with pytest.raises(UserError, match=r"^synthetic cats: '.*' cannot be written \(.*\); give XDG_CACHE_HOME="):
        synthetic.load(20)
    monkeypatch.setenv("HOME", str(tmp_path))
    for value in ("", "here"):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert disk.cache_folder(20).parent == tmp_path / ".cache" / "cats-and-sums"
