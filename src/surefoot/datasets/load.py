"""Loading of a data set: find its four files, verify their checksums, read them.

A file is looked for in the folder that the user names, then inside the package (MNIST) or in the user's cache, where
it is downloaded to on first use. Each file is checked on every load, wherever it came from, so a damaged copy never
becomes a strange result. pooch moves a download to its place only when it is whole, so nothing is left half-written.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from surefoot.datasets.catalog import (
    ENTRIES,
    FILES,
    TEST_IMAGES,
    TEST_LABELS,
    TRAIN_IMAGES,
    TRAIN_LABELS,
    CatalogEntry,
    find,
)
from surefoot.datasets.idx import parse, unpack
from surefoot.errors import Argument, DataError, UsageError

SIDE = 28
BUNDLED = Path(__file__).parent


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images with labels, split into training and test part as their authors published them.

    Images are uint8, N x 28 x 28, 0 for background to 255; labels are uint8, N, the index into `classes`.
    """

    name: str
    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.uint8]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.uint8]
    classes: tuple[str, ...]
    licence: str
    source: str


def load(name: str, data_dir: str | os.PathLike[str] | None = None) -> Dataset:
    """Load one of `NAMES`; use it wherever a task needs its data.

    Args:
        name: "mnist", "kmnist" or "fashion-mnist" ("fmnist" for short).
        data_dir: a folder searched first, as `<data_dir>/<name>/` and as `<data_dir>/` itself, for the four .gz files
            under their published names. Without it the environment variable SUREFOOT_DATA names the folder.

    Raises:
        UsageError: no such data set, or the folder does not exist.
        DataError: a file is damaged, or is missing and cannot be downloaded.

    Example:
        >>> load("mnist").train_images.shape
        (60000, 28, 28)
    """
    return read(find(name), _user_folder(data_dir))


def read(entry: CatalogEntry, folder: Path | None) -> Dataset:
    """Load the data set of a catalog entry, looking in `folder` first."""
    train_images, train_labels = _split(entry, TRAIN_IMAGES, TRAIN_LABELS, folder)
    test_images, test_labels = _split(entry, TEST_IMAGES, TEST_LABELS, folder)
    return Dataset(
        entry.name, train_images, train_labels, test_images, test_labels, entry.classes, entry.licence, entry.source
    )


def _user_folder(data_dir: str | os.PathLike[str] | None) -> Path | None:
    where: str = Argument("data_dir")
    given = data_dir
    if given is None:
        given, where = os.environ.get("SUREFOOT_DATA") or None, "SUREFOOT_DATA"
    if given is None:
        return None
    folder = Path(given)
    if not folder.is_dir():
        raise UsageError(where, f" is {str(folder)!r}, which is not a folder. Give the folder that holds the data.")
    return folder


def _split(
    entry: CatalogEntry, images_name: str, labels_name: str, folder: Path | None
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    images_path, labels_path = _locate(entry, images_name, folder), _locate(entry, labels_name, folder)
    images = parse(unpack(_verified(entry, images_path), str(images_path)), 3, str(images_path))
    labels = parse(unpack(_verified(entry, labels_path), str(labels_path)), 1, str(labels_path))
    if images.shape[1:] != (SIDE, SIDE):
        raise DataError(f"{images_path} has images of {images.shape[1:]} pixels, expected {(SIDE, SIDE)}.")
    if len(images) != len(labels):
        raise DataError(f"{images_path} has {len(images)} images, but {labels_path} has {len(labels)} labels.")
    if labels.size and labels.max() >= len(entry.classes):
        raise DataError(f"{labels_path} has the label {labels.max()}, expected 0 to {len(entry.classes) - 1}.")
    return images, labels


def _locate(entry: CatalogEntry, file: str, folder: Path | None) -> Path:
    for place in (folder / entry.name, folder) if folder else ():
        if (place / file).is_file():
            return place / file
    return BUNDLED / entry.name / file if entry.url is None else _download(entry, file)


def _verified(entry: CatalogEntry, path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path} of {entry.name}: {error}. ", *_ways_out(entry)) from error
    checksum = hashlib.sha256(content).hexdigest()
    if checksum not in entry.sha256[path.name]:
        raise DataError(
            f"{path} is not the file of {entry.name}: {_diagnosis(path.name, checksum)}. Its sha256 is {checksum}, "
            f"expected {' or '.join(entry.sha256[path.name])}. Replace it, or keep it away from this folder."
        )
    return content


def _diagnosis(file: str, checksum: str) -> str:
    owners = [entry.name for entry in ENTRIES.values() if checksum in entry.sha256[file]]
    return f"it belongs to {owners[0]}" if owners else "it is damaged, or another data set under this name"


def _download(entry: CatalogEntry, file: str) -> Path:
    url = f"{entry.url}{file}"
    try:
        import pooch

        cache = Path(pooch.os_cache("surefoot")) / entry.name
        return Path(pooch.retrieve(url, f"sha256:{entry.sha256[file][0]}", fname=file, path=cache))
    except (ImportError, OSError, ValueError) as error:
        raise DataError(f"cannot download {url} for {entry.name}: {error}. ", *_ways_out(entry)) from error


def _ways_out(entry: CatalogEntry) -> tuple[str, ...]:
    if entry.url is None:
        return ("Install surefoot again: the file belongs to the package.",)
    ways = f"Either connect to the internet and run again, or put the files {', '.join(FILES)} in FOLDER/{entry.name} "
    return f"{ways}and give ", Argument("data_dir"), f" FOLDER or set SUREFOOT_DATA=FOLDER. {entry.hint}".rstrip()
