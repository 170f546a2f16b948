"""Exercises: queries and answers as a network sees them, as character ids or drawn in someone's handwriting."""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from library.sums.config import ExercisesConfig
from library.sums.data import handwriting, queries
from library.sums.data.handwriting import Glyphs
from library.sums.data.queries import Queries

Arrays = tuple[Any, Any]
"""What a network reads and what it is to write.

A query is an array of ids `[examples, 5]` int32 or of images `[examples, 5, 28, 28]` uint8. A target is an array of
ids, if all is text; else a dict: of `answer` and `query`, both ids, where queries are drawn; of `ids` and `images`
where answers are.
"""


@dataclass(frozen=True)
class Part:
    """One part of the split: its queries, and the handwriting that no other part uses.

    Attributes:
        queries: to be answered.
        handwriting: what their characters look like; None where all is text.
        draws_images: whether answers are drawn, and not queries.
    """

    queries: Queries
    handwriting: Glyphs | None
    draws_images: bool

    def render(self, ids: tuple[np.ndarray, ...], random: np.random.Generator, *, vary: bool = False) -> Arrays:
        """Ids of queries and of answers as the network is to see them; images are drawn anew each time.

        Args:
            ids: `[examples, 5]` and `[examples, answer length]`.
            random: picks the images.
            vary: turn, scale, slant and shift the images of queries (not of answers: those are to look as written).
        """
        x, y = ids
        if self.handwriting is None:
            return x, y
        if self.draws_images:
            return x, {"ids": y, "images": self.handwriting.draw(y, random)}
        return self.handwriting.draw(x, random, vary=vary), {"answer": y, "query": x}

    def rendered(self, seed: int, at_least: int = 1) -> Arrays:
        """All queries and answers, drawn once from a seed; over and over up to so many where there are images."""
        times = -(-at_least // len(self.queries)) if self.handwriting else 1
        ids = tuple(np.tile(array, (times, 1)) for array in (self.queries.x, self.queries.y))
        return self.render(ids, np.random.default_rng(seed))


@dataclass(frozen=True)
class Exercises:
    """Three parts that share neither queries nor handwriting; `digest` names all they consist of."""

    train: Part
    validation: Part
    test: Part
    digest: str


def load(config: ExercisesConfig) -> Exercises:
    """The exercises of a config; UserError if its digits cannot be had."""
    splits = queries.load(config)
    if not (config.reads_images or config.draws_images):
        train, validation, test = (Part(part, None, False) for part in (splits.train, splits.validation, splits.test))
        return Exercises(train, validation, test, splits.digest)
    pools = handwriting.load(config.digits, queries.notation(config).characters)
    return Exercises(
        Part(splits.train, pools.train, config.draws_images),
        Part(splits.validation, pools.validation, config.draws_images),
        Part(splits.test, pools.test, config.draws_images),
        hashlib.sha256(f"{splits.digest} {pools.digest} {config.modality}".encode()).hexdigest()[:16],
    )
