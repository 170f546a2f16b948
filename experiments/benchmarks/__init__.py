"""What README.md states, measured: `make bench`, or `make bench ONLY=throughput` for one part."""
