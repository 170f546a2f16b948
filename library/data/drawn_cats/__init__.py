"""Cats that are drawn, 75x75, from known and independent causes: what every machine has to train on.

Nothing is downloaded, and unlike photographs these come with their ground truth: how far a latent space has found the
causes apart can be measured.
"""

from library.data.drawn_cats.ground_truth import FACTORS, PATTERNS, Factor, factors
from library.data.drawn_cats.painting import draw
from library.data.drawn_cats.store import load
from library.data.drawn_cats.surface import SIZE

__all__ = ["FACTORS", "PATTERNS", "SIZE", "Factor", "draw", "factors", "load"]
