"""The catalog of data sets: classes, licence, source and checksums of the four files.

A checksum is the sha256 of the compressed file. Some files circulate in two compressions of the same content, so a
file may have more than one: the first is the one that this package holds or downloads. The downloads' checksums are
those that the TensorFlow Datasets project publishes for these very URLs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from surefoot.errors import unknown

TRAIN_IMAGES = "train-images-idx3-ubyte.gz"
TRAIN_LABELS = "train-labels-idx1-ubyte.gz"
TEST_IMAGES = "t10k-images-idx3-ubyte.gz"
TEST_LABELS = "t10k-labels-idx1-ubyte.gz"
FILES = (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)


@dataclass(frozen=True)
class CatalogEntry:
    """One data set of the catalog.

    `sha256` maps each of `FILES` to its accepted checksums. `url` is the folder to download from, None for the set
    that is inside the package. `hint` is one more way to get the files, for the error message.
    """

    name: str
    classes: tuple[str, ...]
    licence: str
    source: str
    sha256: Mapping[str, tuple[str, ...]]
    url: str | None = None
    hint: str = ""


MNIST = CatalogEntry(
    name="mnist",
    classes=("0", "1", "2", "3", "4", "5", "6", "7", "8", "9"),
    licence="CC BY-SA 3.0",
    source="Yann LeCun, Corinna Cortes, Christopher J.C. Burges, http://yann.lecun.com/exdb/mnist/",
    sha256={  # the package's compression, then the authors'
        TRAIN_IMAGES: (
            "0b367032e93c5d0cea0925647cfdb18614af8ee15f83e6f2fc2ad904a6835971",
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        ),
        TRAIN_LABELS: (
            "1787548bbe0bff1ec2ecdc0ef292b02df999e2d1a6002d27500982c652b17203",
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        ),
        TEST_IMAGES: (
            "1a1a05eab793c14bb050b398624a11b0ffd1a2953baed553b1b9bd079e2a20be",
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        ),
        TEST_LABELS: (
            "b91679a0acfe4ba0e50a2437a903084cba1f5f92592b016a25a7dfd00455798b",
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
    },
)

KMNIST = CatalogEntry(
    name="kmnist",
    classes=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    licence="CC BY-SA 4.0",
    source='"KMNIST Dataset" (created by CODH), adapted from "Kuzushiji Dataset" (created by NIJL and others), '
    "doi:10.20676/00000341, https://github.com/rois-codh/kmnist",
    sha256={
        TRAIN_IMAGES: ("51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",),
        TRAIN_LABELS: ("e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",),
        TEST_IMAGES: ("edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",),
        TEST_LABELS: ("20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",),
    },
    url="http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
)

FASHION_MNIST = CatalogEntry(
    name="fashion-mnist",
    classes=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    licence="MIT",
    source="Zalando SE, https://github.com/zalandoresearch/fashion-mnist",
    sha256={  # the authors' compression, then that of Debian's package dataset-fashion-mnist
        TRAIN_IMAGES: (
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7",
        ),
        TRAIN_LABELS: (
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056",
        ),
        TEST_IMAGES: (
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa",
        ),
        TEST_LABELS: (
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            "8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05",
        ),
    },
    url="http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    hint="On Debian and Ubuntu, `apt install dataset-fashion-mnist`, then the FOLDER is /usr/share/datasets.",
)

ENTRIES: Mapping[str, CatalogEntry] = {entry.name: entry for entry in (MNIST, KMNIST, FASHION_MNIST)}
NAMES = tuple(ENTRIES)
ALIASES: Mapping[str, str] = {"fmnist": "fashion-mnist"}


def find(name: str) -> CatalogEntry:
    """Return the entry of the data set called `name`; `fmnist` stands for `fashion-mnist`.

    Raises:
        UsageError: there is no data set of this name; the message names the close ones.
    """
    try:
        return ENTRIES[ALIASES.get(name, name)]
    except KeyError:
        raise unknown("data set", name, NAMES) from None
