"""The display of a running study.

| file | concept |
| --- | --- |
| `live_display.py` | `progress`: bars in a terminal, a board in a notebook, else lines; `announce`, `say_look` |
| `board.py` | trials done, best so far, time left; in a terminal the bars above it, in a notebook the cell around it |
| `words.py` | the lines, and what is said of a trial |
| `console.py` | what prints for people, without blanks before the end of a line |
| `tensorboard.py` | event files for TensorBoard |
"""

from surefoot.progress.live_display import announce, progress, say_look

__all__ = ["announce", "progress", "say_look"]
