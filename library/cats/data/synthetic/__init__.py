"""Synthetic cats, 75x75, drawn from known and independent factors: training data without any download.

Unlike photographs they come with their ground truth, so that the disentanglement of a latent space can be measured.
"""

from library.cats.data.synthetic.cache import load
from library.cats.data.synthetic.canvas import SIZE
from library.cats.data.synthetic.factors import FACTORS, PATTERNS, Factor, sample_factors
from library.cats.data.synthetic.render import draw

__all__ = ["FACTORS", "PATTERNS", "SIZE", "Factor", "draw", "load", "sample_factors"]
