"""Run the small study in a process that kills itself: DIRECTORY SEGMENTS BEST_STATE.

It commits after every second segment, saves what is to be kept ahead of that whenever
it can, and dies, by SIGKILL, when it has read so many.
"""

import itertools
import os
import signal
import sys

import jax

jax.config.update("jax_num_cpu_devices", 2)

import small  # noqa: E402 (devices are counted when JAX is first used)

import tuner  # noqa: E402
from tuner.rounds import committer  # noqa: E402
from tuner.rounds.cadence import Cadence  # noqa: E402
from tuner.rounds.recorder import Recorder  # noqa: E402

directory, segments, best_state = sys.argv[1], int(sys.argv[2]), sys.argv[3]
turns, read, add = itertools.count(), itertools.count(1), Recorder.add


def add_or_die(self, segment, examples_per_step):
    evaluations = add(self, segment, examples_per_step)
    if next(read) == segments:
        os.kill(os.getpid(), signal.SIGKILL)
    return evaluations


committer.MOST_KEPT_BYTES = 1
Cadence.due = lambda *_: next(turns) % 2 == 1
Recorder.add = add_or_die
tuner.run(small.study(), directory, layout="2x1x2", best_state=best_state)
