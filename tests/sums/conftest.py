"""What the tests of the sums share."""

from collections.abc import Iterator

import pytest

from tests.eager import eagerly


@pytest.fixture
def eager() -> Iterator[None]:
    """No graph is traced."""
    with eagerly():
        yield
