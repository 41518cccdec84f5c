"""The built-in tasks on images with few to be tested on, which takes most of a short training.

`python few_images.py compare ...` runs a command of `surefoot` with them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from unittest import mock

from surefoot.cli.__main__ import main
from surefoot.datasets import Dataset
from surefoot.tasks import builtin


@contextmanager
def few_test_images(count: int = 250) -> Iterator[None]:
    """Leave so many of them."""
    whole = builtin.load

    def load(name: str, data_dir: str | None = None) -> Dataset:
        data = whole(name, data_dir)
        return replace(data, test_images=data.test_images[:count], test_labels=data.test_labels[:count])

    with mock.patch.object(builtin, "load", load):
        yield


if __name__ == "__main__":
    with few_test_images():
        main()
