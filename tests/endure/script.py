"""A run from a script, without the command: DIRECTORY LAYOUT."""

import sys

import tuner
from endure.wished import study

run = tuner.run(study, sys.argv[1], layout=sys.argv[2])
if run.status != "complete":
    sys.exit(75)
tuner.write_report(run)
