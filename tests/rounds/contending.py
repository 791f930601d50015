"""Run the small study in a directory that another process may run: DIRECTORY REFUSED.

Who trains waits, after the first call, until the other has been refused: that one says
why and makes the file REFUSED.
"""

import sys
import time
from pathlib import Path

import jax

jax.config.update("jax_num_cpu_devices", 2)

import small  # noqa: E402 (devices are counted when JAX is first used)

import tuner  # noqa: E402
from tuner.rounds.cadence import Cadence  # noqa: E402
from tuner.rounds.display import Silent  # noqa: E402
from tuner.store.lock import LockedError  # noqa: E402

directory, refused = Path(sys.argv[1]), Path(sys.argv[2])


class Waiting(Silent):
    """Waits for the other."""

    def advanced(self, standing):
        deadline = time.monotonic() + 120
        while not refused.exists() and time.monotonic() < deadline:
            time.sleep(0.01)


Cadence.due = lambda *_: True  # as many commits as there can be
try:
    tuner.run(small.study(), directory, layout="2x1x2", display=Waiting())
except LockedError as error:
    sys.stdout.write(str(error))
    refused.touch()
    sys.exit(2)
