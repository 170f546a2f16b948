"""Copies are found however they were made, unrelated images are kept, and a split parts no similar images."""

from collections.abc import Callable
from random import Random

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import connected_components

from library.cats.data.curation.duplicates import (
    BLOCK_SIZE,
    COPY,
    SIMILAR,
    Duplicates,
    deduplicate,
    details,
    join_groups,
    thumbnails,
)
from library.cats.data.curation.filtering import split
from tests import raw_images

PHOTOS = raw_images.photos(600)


def file_of(image: np.ndarray, quality: int) -> np.ndarray:
    raw = np.frombuffer(raw_images.encoded(image, ".jpg", quality), dtype=np.uint8)
    return cv2.imdecode(raw, cv2.IMREAD_COLOR_RGB)


def resized(image: np.ndarray, size: int) -> np.ndarray:
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA if size < len(image) else cv2.INTER_CUBIC)


COPIES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "itself": lambda image: image,
    "mirrored": lambda image: image[:, ::-1],
    "recompressed": lambda image: file_of(image, 30),
    "mirrored and recompressed": lambda image: file_of(image[:, ::-1], 50),
    "smaller": lambda image: resized(image, 32),
    "larger": lambda image: resized(image, 333),
    "smaller and recompressed": lambda image: file_of(resized(image, 48), 40),
    "grey": lambda image: cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB),
    "brighter": lambda image: (image * 0.7 + 60).astype(np.uint8),
}


def small(images: np.ndarray, made: Callable[[np.ndarray], np.ndarray] = lambda image: image) -> np.ndarray:
    """Images or copies of 75x75, as curating makes them."""
    return np.array([resized(np.ascontiguousarray(made(image)), 75) for image in images])


def found_in(images: np.ndarray) -> Duplicates:
    return deduplicate(thumbnails(images), details(images))


@pytest.mark.parametrize("kind", COPIES)
def test_a_copy_is_found_and_the_first_stays(kind: str) -> None:
    found = found_in(np.concatenate([small(PHOTOS), small(PHOTOS[:300], COPIES[kind])]))
    assert (found.original[:600] == -1).all()
    assert found.original[600:].tolist() == list(range(300))
    assert (found.similarity[600:] >= COPY).all()
    assert (found.similarity[:600] == 0).all()
    assert len(np.unique(found.groups[:600])) == 600


def test_the_result_equals_that_of_brute_force() -> None:
    """Chains of similar images, across blocks, at every correlation from 0.9 to 1."""
    random = np.random.default_rng(0)
    base = thumbnails(small(PHOTOS)).astype(np.float32)
    weights = random.uniform(0, 0.6, (600, 1, 1)).astype(np.float32)
    thumbs = np.concatenate([base, base * (1 - weights) + base[random.permutation(600)][:, :, ::-1] * weights])
    thumbs = thumbs[random.permutation(1200)]
    with_mirrored = np.concatenate([thumbs, thumbs[:, :, ::-1]]).reshape(2400, -1)
    similar = np.corrcoef(with_mirrored.astype(float))[:, :1200].reshape(2, 1200, 1200).max(axis=0)
    original = np.full(1200, -1)
    for row in range(1, 1200):
        before = np.where(original[:row] < 0, similar[row, :row], -1)
        if before.max() >= COPY:
            original[row] = before.argmax()
    found = deduplicate(thumbs, np.tile(details(small(PHOTOS[:1])), (1200, 1, 1)))  # alike in detail
    np.testing.assert_array_equal(found.original, original)
    copies, stays = np.flatnonzero(original >= 0), np.flatnonzero(original < 0)
    assert len(copies) > 100
    np.testing.assert_allclose(found.similarity[copies], similar[copies, original[copies]], atol=1e-5)
    groups = found.groups[stays]
    alike = similar[np.ix_(stays, stays)] >= SIMILAR
    assert alike.sum() > len(stays) + 20
    assert (groups[:, None] == groups[None])[alike].all()
    chains, _ = connected_components(alike)
    assert len(np.unique(groups)) == chains


def test_flat_images_are_no_copies_and_of_copies_one_stays() -> None:
    assert found_in(np.full((3, 75, 75, 3), 7, dtype=np.uint8)).original.tolist() == [-1, -1, -1]
    assert found_in(np.empty((0, 75, 75, 3), dtype=np.uint8)).original.tolist() == []
    noise = np.random.default_rng(0).integers(0, 3, (700, 75, 75, 3), dtype=np.uint8)
    assert found_in(small(PHOTOS[:1]) // 2 + noise).original.tolist() == [-1, *[0] * 699]
    assert BLOCK_SIZE < 700


def test_distinct_silhouettes_are_no_copies_and_not_all_on_one_side_of_a_split() -> None:
    images = small(raw_images.silhouettes(200))
    alike = np.corrcoef(thumbnails(images).reshape(200, -1)) >= COPY
    assert np.tril(alike, -1).any(axis=1).sum() > 100  # by the look at figure and ground alone
    found = found_in(np.concatenate([images, small(raw_images.silhouettes(200)[:50], COPIES["recompressed"])]))
    assert (found.original[:200] >= 0).sum() <= 4
    assert (found.original[200:] >= 0).sum() >= 48
    assert np.unique(found.groups, return_counts=True)[1].max() < 60


@settings(deadline=None)
@given(st.lists(st.integers(0, 500), min_size=2, max_size=40), st.data())
def test_groups_are_joined_whatever_their_numbers(groups: list[int], data: st.DataObject) -> None:
    places = st.integers(0, len(groups) - 1)
    rows, columns = np.array(data.draw(st.lists(st.tuples(places, places))), dtype=int).reshape(-1, 2).T
    joined = join_groups(np.array(groups), rows, columns)
    same = np.equal.outer(groups, groups)
    same[rows, columns] = same[columns, rows] = True
    _, expected = connected_components(same)
    np.testing.assert_array_equal(np.equal.outer(joined, joined), np.equal.outer(expected, expected))


@settings(deadline=None)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=200), st.randoms(use_true_random=False))
def test_a_split_holds_every_image_once_parts_no_group_and_heeds_no_order(groups: list[int], random: Random) -> None:
    digests = [f"{i:08x}" for i in range(len(groups))]
    random.shuffle(digests)
    parts = split(np.array(groups), digests)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(groups)))
    sides = [{groups[row] for row in part} for part in parts]
    assert not (sides[0] & sides[1] or sides[0] & sides[2] or sides[1] & sides[2])
    assert max(len(parts[1]), len(parts[2])) <= len(groups) // 10
    order = random.sample(range(len(groups)), len(groups))
    again = split(np.array(groups)[order], [digests[i] for i in order])
    for part, other in zip(parts, again, strict=True):
        assert [digests[i] for i in part] == [digests[order[i]] for i in other]


def test_without_groups_a_tenth_validates_and_a_tenth_tests() -> None:
    digests = [f"{value:016x}" for value in np.random.default_rng(0).permutation(1005)]
    assert [len(part) for part in split(np.arange(1005), digests)] == [805, 100, 100]
