"""The data sets of the built-in tasks: MNIST in the package, others downloaded once and verified.

| file | concept |
| --- | --- |
| `catalog.py` | what is known of each set: classes, licence, source, checksums |
| `idx.py` | the idx file format |
| `load.py` | `load`: find the files, verify them, read them |
| `text.py` | the one text, inside the package too |

Images stay the bytes that the authors published; scaling them is the task's part. No framework is imported here.
"""

from surefoot.datasets.catalog import NAMES
from surefoot.datasets.load import Dataset, load

__all__ = ["NAMES", "Dataset", "load"]
