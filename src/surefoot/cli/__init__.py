"""The command line, one small file per command. Each parses, calls one function and prints.

| file | concept |
| --- | --- |
| `app.py` | the commands as Typer sees them, each loaded when it is called |
| `bench.py` | `surefoot bench` |
| `check.py` | `surefoot check`: tests what Surefoot promises about itself on this machine |
| `check_calibration.py` | `surefoot check --calibration` |
| `check_parity.py` | `surefoot check --parity` |
| `check_published.py` | `surefoot check` beside published figures |
| `compare.py` | `surefoot compare` |
| `doctor.py` | `surefoot doctor`: what runs on this machine, and whether it works |
| `explain.py` | `surefoot explain` |
| `flags.py` | the names of the library's arguments on the command line |
| `groups.py` | `surefoot groups`: a model's parameters, and which rule steps which |
| `judge.py` | `surefoot judge`: the verdict on scores that were made anywhere |
| `kernel.py` | `surefoot kernel`: the code that a rule becomes, to read or to take elsewhere |
| `list.py` | `surefoot list`: what there is to compare |
| `lr_find.py` | `surefoot lr-find` |
| `options.py` | the options of the library as flags |
| `printing.py` | JSON, tables and messages that all commands print |
| `report.py` | `surefoot report` |
| `result.py` | the end of a command: the result in print, then the report |
| `try_out.py` | `surefoot try`: whether every optimizer works on a task, before anything is trained |
"""

INTERRUPTED = 130
"""The exit code after Ctrl-C."""
