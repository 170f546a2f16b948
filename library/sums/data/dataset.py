"""Datasets as the networks see them: queries and answers as character ids, or as images in someone's handwriting.

Queries and handwriting are split apart, so that a test image shows neither a query nor a glyph of the training.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from library.sums.config import SumsConfig
from library.sums.data import handwriting, queries
from library.sums.data.handwriting import Glyphs
from library.sums.data.queries import Queries

Arrays = tuple[Any, Any]
"""The inputs and the targets of a network.

Inputs are ids `[examples, 5]` int32 or images `[examples, 5, 28, 28]` uint8. Targets are ids in text-to-text, a dict of
`answer` and `query`, both ids, in image-to-text, and a dict of `ids` and `images` in text-to-image.
"""


@dataclass(frozen=True)
class Split:
    """One split: its queries, and the handwriting that no other split uses, None where all is text.

    `draws_images` tells whether the answers are images, not the queries.
    """

    queries: Queries
    handwriting: Glyphs | None
    draws_images: bool

    def render(self, ids: tuple[np.ndarray, ...], random: np.random.Generator, *, vary: bool = False) -> Arrays:
        """Renders ids `[examples, 5]` of queries and `[examples, answer length]` of answers as the network sees them.

        Images are drawn anew each time; `vary` augments those of queries, but not answers, which show how people write.
        """
        x, y = ids
        if self.handwriting is None:
            return x, y
        if self.draws_images:
            return x, {"ids": y, "images": self.handwriting.draw(y, random)}
        return self.handwriting.draw(x, random, vary=vary), {"answer": y, "query": x}

    def rendered(self, seed: int, at_least: int = 1) -> Arrays:
        """Renders all queries and answers once; images are repeated in other handwriting up to a number of examples."""
        times = -(-at_least // len(self.queries)) if self.handwriting else 1
        ids = tuple(np.tile(array, (times, 1)) for array in (self.queries.x, self.queries.y))
        return self.render(ids, np.random.default_rng(seed))


@dataclass(frozen=True)
class SumsDataset:
    """Three splits that share neither queries nor handwriting; `digest` identifies their exact contents."""

    digest: str
    train: Split
    validation: Split
    test: Split

    @property
    def inputs(self) -> Mapping[str, np.ndarray]:
        """The ids of each split's queries, as a run's datasets are named."""
        named = {"training": self.train, "validation": self.validation, "testing": self.test}
        return {name: split.queries.x for name, split in named.items()}


def load(config: SumsConfig) -> SumsDataset:
    """The dataset of a config; UserError if its handwriting cannot be loaded."""
    texts = queries.load(config)
    if config.modality == "text-to-text":
        return SumsDataset(texts.digest, *(Split(split, None, False) for split in texts))
    images = handwriting.load(config.digits, queries.notation(config).characters)
    digest = hashlib.sha256(f"{texts.digest} {images.digest} {config.modality}".encode()).hexdigest()[:16]
    return SumsDataset(digest, *(Split(*pair, config.draws_images) for pair in zip(texts, images, strict=True)))
