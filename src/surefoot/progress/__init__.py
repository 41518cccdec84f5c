"""What a user sees while a study runs.

| file | concept |
| --- | --- |
| `show.py` | `announce` what is to run; `progress`: bars in a terminal, a board in a notebook, lines anywhere else |
| `board.py` | trials done, best so far, time left; in a terminal the bars above it, in a notebook the cell around it |
| `words.py` | the lines, and what is said of a trial |
| `tensorboard.py` | event files for TensorBoard |
"""

from surefoot.progress.show import announce, progress

__all__ = ["announce", "progress"]
