"""The idx format of the MNIST family: four bytes of type and rank, 32-bit sizes, then the data.

Only unsigned bytes occur here. Every way in which a file can be wrong is a `DataError` that names the file, because
the next thing that the user does is look at that file.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from io import BytesIO
from math import prod

import numpy as np
from numpy.typing import NDArray

from surefoot.errors import DataError

UNSIGNED_BYTE = 0x08
PIECE = 2**20


def unpack(compressed: bytes, file: str) -> bytearray:
    """Return the content of a gzip file given as bytes, in a buffer that grows: no second copy is made of it.

    `file` names it in errors.

    Raises:
        DataError: the bytes are no gzip stream, or a damaged or cut off one.
    """
    try:
        content = bytearray()
        with gzip.open(BytesIO(compressed)) as stream:
            while piece := stream.read(PIECE):
                content += piece
        return content
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{file} is not a whole gzip file ({error}). Delete it and get it again.") from error


def parse(content: bytearray, rank: int, file: str) -> NDArray[np.uint8]:
    """Return the array in an idx file. `rank` is 3 for images (N x height x width), 1 for labels.

    The array is the buffer itself and can be written to: torch warns about arrays that cannot.

    Raises:
        DataError: wrong type or rank, or more or fewer bytes than the sizes in the header say.
    """
    magic = UNSIGNED_BYTE << 8 | rank
    start = 4 + 4 * rank
    if len(content) < start or struct.unpack_from(">I", content)[0] != magic:
        raise DataError(
            f"{file} is not an idx file of {rank} dimension(s): it starts with the bytes "
            f"{content[:4].hex() or '(none)'}, expected {magic:08x}. Delete it and get it again."
        )
    shape = struct.unpack_from(f">{rank}I", content, 4)
    if len(content) - start != prod(shape):
        raise DataError(
            f"{file} is cut off or damaged: it has {len(content) - start} bytes of data, "
            f"expected {prod(shape)} for its shape {shape}. Delete it and get it again."
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
