"""Run a script, and end the process as soon as it has: `without_teardown.py SCRIPT`.

torch's DDP and FSDP keep gloo's threads alive past `destroy_process_group`. Such a thread lets go of the last sum, and
of a Python object with it; if Python is being torn down at that moment, the thread is ended in a destructor, and the
process aborts ("terminate called without an active exception"): one run in ten on a busy machine, whatever the
optimizer. Here all that a script does is seen, and how it fails too, but no teardown follows.
"""

import os
import runpy
import sys


def end_at_once() -> None:
    """End the process in success, with all that was printed."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    del sys.argv[0]
    runpy.run_path(sys.argv[0], run_name="__main__")
    end_at_once()
