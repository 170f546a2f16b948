"""What tests of engines share."""

from collections.abc import Iterator

import pytest

from tests.ray_node import Node


@pytest.fixture(scope="module")
def head() -> Iterator[Node]:
    """A cluster of one node."""
    node = Node()
    yield node
    node.kill()
