"""`make compare`: the registered CAE, VAE and GAN of a stage, scored alike and shown on the same cats.

Each was scored when it was trained; here test images, number of samples, noise and feature network are the same too.
"""

from library.cats.comparison.compare import compare

__all__ = ["compare"]
