"""Any pile of images made into a set of cats: read, decoded, told apart from its duplicates, split and kept."""
