"""Batches: epochs of a fixed size, drawn so that every example is seen once before any is seen again."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from library.framework.training.batches import Batches

numbers = np.arange(100)


def epoch(batches: Batches) -> np.ndarray:
    """The examples of one epoch, which is then over; `[steps, batch_size]`."""
    drawn = np.stack([batches[step][0] for step in range(len(batches))])
    batches.on_epoch_end()
    return drawn


@pytest.mark.parametrize(("examples", "batch_size", "steps"), [(10, 4, 3), (5, 8, 2), (64, 64, 1), (1, 3, 3)])
def test_an_epoch_has_so_many_batches_of_one_size(examples: int, batch_size: int, steps: int) -> None:
    batches = Batches(np.arange(examples), batch_size=batch_size, steps=steps, seed=0)
    for _ in range(4):
        assert len(batches) == steps
        assert epoch(batches).shape == (steps, batch_size)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 12), st.integers(1, 9), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_every_pass_sees_each_example_once(examples: int, batch_size: int, steps: int, seed: int) -> None:
    batches = Batches(np.arange(examples), batch_size=batch_size, steps=steps, seed=seed)
    drawn = np.concatenate([epoch(batches).ravel() for _ in range(5)]).tolist()
    for start in range(0, len(drawn), examples):
        one_pass = drawn[start : start + examples]  # the last may be cut short
        assert len(set(one_pass)) == len(one_pass)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 12), st.integers(1, 9), st.integers(1, 5), st.integers(0, 2**32 - 1), st.integers(0, 5))
def test_batches_that_begin_at_an_epoch_are_those_that_come_to_it(
    examples: int, batch_size: int, steps: int, seed: int, epochs: int
) -> None:
    x = np.arange(examples, dtype=float)
    through, from_there = (Batches(x, batch_size=batch_size, steps=steps, seed=seed, render=noisy) for _ in range(2))
    for _ in range(epochs):
        epoch(through)
        from_there.on_epoch_end()
    for _ in range(2):
        np.testing.assert_array_equal(epoch(through), epoch(from_there))


def test_arrays_stay_aligned_and_keep_their_types() -> None:
    x = np.arange(30, dtype=np.int32).reshape(10, 3)
    y = np.arange(10, dtype=np.float32)
    batches = Batches(x, y, batch_size=4, steps=3, seed=0)
    for step in range(3):
        some_x, some_y = batches[step]
        np.testing.assert_array_equal(some_x, x[some_y.astype(int)])
        assert (some_x.dtype, some_y.dtype) == (np.int32, np.float32)


def test_epochs_differ_and_a_seed_repeats_every_one_while_another_gives_others() -> None:
    def epochs(seed: int) -> list[list[list[int]]]:
        batches = Batches(numbers, batch_size=10, steps=10, seed=seed)
        return [epoch(batches).tolist() for _ in range(3)]

    first, second, third = epochs(1)
    assert first != second != third != first
    assert epochs(1) == [first, second, third] != epochs(2)


def noisy(arrays: tuple[np.ndarray, ...], random: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Noise where the examples were."""
    return tuple(random.random(len(array)) for array in arrays)


def test_what_is_rendered_is_the_arrays_of_the_batch() -> None:
    given: list[tuple[np.ndarray, ...]] = []

    def render(arrays: tuple[np.ndarray, ...], _: np.random.Generator) -> tuple[object, ...]:
        given.append(arrays)
        return arrays[0] * 2, {"both": arrays}

    plain = Batches(numbers, -numbers, batch_size=10, steps=3, seed=0)
    rendered = Batches(numbers, -numbers, batch_size=10, steps=3, seed=0, render=render)
    for step in range(3):
        twice, both = rendered[step]
        np.testing.assert_array_equal(given[step], plain[step])
        np.testing.assert_array_equal(twice, 2 * plain[step][0])
        assert both == {"both": given[step]}


@given(st.integers(0, 2**32 - 1), st.permutations(range(4)))
def test_a_batch_is_rendered_the_same_however_often_and_in_which_order(seed: int, order: list[int]) -> None:
    batches = Batches(numbers, batch_size=10, steps=4, seed=seed, render=noisy)
    first = [batches[step][0].tolist() for step in range(4)]
    assert [batches[step][0].tolist() for step in order] == [first[step] for step in order]


def test_rendering_differs_between_steps_and_epochs() -> None:
    batches = Batches(numbers, batch_size=10, steps=5, seed=0, render=noisy)
    drawn = [number for _ in range(3) for number in epoch(batches).ravel()]
    assert len(set(drawn)) == len(drawn) == 150


def test_rendering_repeats_with_the_seed_and_differs_with_another() -> None:
    first, again, other = (Batches(numbers, batch_size=10, steps=5, seed=s, render=noisy) for s in (1, 1, 2))
    for _ in range(3):
        drawn = epoch(first)
        np.testing.assert_array_equal(drawn, epoch(again))
        assert not set(drawn.flat) & set(epoch(other).flat)


def test_rendering_leaves_the_order_alone() -> None:
    def careless(arrays: tuple[np.ndarray, ...], random: np.random.Generator) -> tuple[np.ndarray, ...]:
        random.random(7)
        return arrays

    plain = Batches(numbers, batch_size=16, steps=5, seed=0)
    rendered = Batches(numbers, batch_size=16, steps=5, seed=0, render=careless)
    for _ in range(3):
        np.testing.assert_array_equal(epoch(plain), epoch(rendered))
