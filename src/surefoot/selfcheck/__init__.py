"""What Surefoot promises about itself, put to the test.

| file | concept |
| --- | --- |
| `calibration.py`, `seed_models.py` | how often the verdict is wrong, in simulated studies; how their scores scatter |
| `published.py` | published trainings repeated, and whether ours agree |
| `statements.py`, `algoperf.py` | published statements that a moment of computing repeats; AlgoPerf's times and scores |
| `quickstart.py` | PyTorch's quickstart on Fashion-MNIST |
| `parity/` | every rule in every framework against the rule in float64 |
"""
