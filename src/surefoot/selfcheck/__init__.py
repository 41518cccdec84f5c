"""How Surefoot checks itself: its verdict where the truth is known, published figures, and parity of front-ends.

| file | concept |
| --- | --- |
| `calibration.py`, `seed_models.py` | how often the verdict is wrong, in simulated studies; how their scores scatter |
| `planned_looks.py` | the same for studies that are looked at while seeds come in |
| `margins.py` | false claims of equality within a margin, and what a race of finalists loses |
| `joined.py` | studies that join looks, margins, tuned families and seeds added later |
| `practices.py` | four ways to choose and measure, where tuning gains nothing |
| `published.py` | published trainings repeated, and whether ours agree |
| `statements.py`, `algoperf.py` | published statements that a moment repeats; AlgoPerf's times and scores |
| `quickstart.py` | PyTorch's quickstart on Fashion-MNIST |
| `parity/` | every rule in every framework against the rule in float64 |
"""
