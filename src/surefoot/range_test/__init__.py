"""The learning-rate range test: the rates at which the loss falls and diverges, and a range to search.

The room is not named after its door, `surefoot.lr_find`: a module of that name would stand before the function.

| file | concept |
| --- | --- |
| `find.py` | `lr_find`: the test as one call, and its result as text, page and JSON |
| `sweep.py` | a short training whose rate rises, on several seeds |
| `window.py` | from the losses to a window, or to the reason why there is none |
| `words.py` | what the test is, is not, and has shown, in sentences |
| `page.py` | the curve, on a page and in a terminal |
"""
