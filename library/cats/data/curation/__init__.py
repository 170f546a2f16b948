"""Curates raw images into a set of cats: reads, decodes, deduplicates, filters and splits them."""
