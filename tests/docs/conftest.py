"""What the tests of the documentation share."""

import pytest

from few_images import few_test_images


@pytest.fixture
def little_mnist(mnist_read_once):  # noqa: ARG001  it is what is cut
    """The images are read once, and few of them test."""
    with few_test_images():
        yield
