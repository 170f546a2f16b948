"""Cats that are drawn, 75x75, from known and independent causes: what every machine has to train on.

Nothing is downloaded, and unlike photographs these come with their ground truth: how far a latent space has found the
causes apart can be measured.
"""

from library.cats.data.synthetic.cache import load
from library.cats.data.synthetic.canvas import SIZE
from library.cats.data.synthetic.factors import FACTORS, PATTERNS, Factor, factors
from library.cats.data.synthetic.render import draw

__all__ = ["FACTORS", "PATTERNS", "SIZE", "Factor", "draw", "factors", "load"]
