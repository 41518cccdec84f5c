"""The text of the character-level language model: Shakespeare, inside the package, checked on every load.

One text, so it is no entry of the catalog of images; its source and status stand beside it in `shakespeare/LICENSE`.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from surefoot.datasets.idx import unpack
from surefoot.errors import DataError

SHAKESPEARE = Path(__file__).parent / "shakespeare" / "plays.txt.gz"
SHA256 = "7bce277f2f9d6c2c5ebb6307101f7b5a6fe4ada24dd87971bd874d4bed8d503b"


def shakespeare(path: Path = SHAKESPEARE) -> str:
    """Return about 300,000 characters of Shakespeare's plays, of 62 kinds, all ASCII.

    Args:
        path: place of the compressed text; by default the package's own.

    Raises:
        DataError: the file is missing or damaged.
    """
    try:
        compressed = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"cannot read {path}: {error}. Install surefoot again: the file belongs to the package."
        ) from error
    text = unpack(compressed, str(path))
    if (checksum := hashlib.sha256(text).hexdigest()) != SHA256:
        raise DataError(f"{path} is damaged: its text has the sha256 {checksum}, expected {SHA256}.")
    return text.decode("ascii")
