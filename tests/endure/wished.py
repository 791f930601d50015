"""The enduring study, run as the environment wishes: ENDURE=2 or ENDURE=measured.

A number: commit after every so many calls. `measured`: every program is measured,
however short it trains, and none is found faster than that of the rule.
"""

import itertools
import math
import os

from endure.enduring import study
from tuner.lanes import calibration
from tuner.rounds.cadence import Cadence

__all__ = ["study"]

wish, turns = os.environ.get("ENDURE", ""), itertools.count()

if wish.isdecimal():
    every = int(wish)
    Cadence.due = lambda *_: next(turns) % every == every - 1
if wish == "measured":
    calibration._budget = lambda jobs, measured: math.inf
    calibration.GAIN = math.inf
