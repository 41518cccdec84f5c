"""What a user sees while a study runs.

| file | concept |
| --- | --- |
| `show.py` | `announce` what is to run; `progress`: bars in a terminal, a board in a notebook, lines anywhere else |
| `bars.py`, `words.py` | the bars, the lines and what is said of a trial |
| `board.py` | trials done, best so far, time left; in a notebook, the cell that shows it |
| `tensorboard.py` | event files for TensorBoard |
"""

from surefoot.progress.show import announce, progress

__all__ = ["announce", "progress"]
