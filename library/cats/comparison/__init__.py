"""`make compare-cats`: the registered CAE, VAE and GAN of a stage, scored alike and shown on the same cats.

Their own scores may come from other settings; here test images, number of samples, noise and feature network are equal.
"""
