"""What the tests of the documentation share."""

from dataclasses import replace

import pytest

from surefoot.tasks import builtin


@pytest.fixture
def little_mnist(mnist_read_once, monkeypatch):
    """The built-in tasks on images have 500 to be tested on: what a page's command prints is asked, not how good."""

    def load(*asked):
        data = mnist_read_once(*asked)
        return replace(data, test_images=data.test_images[:500], test_labels=data.test_labels[:500])

    monkeypatch.setattr(builtin, "load", load)
