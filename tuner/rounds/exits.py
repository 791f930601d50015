"""Exit codes of the command `tuner`, all in one place."""

import enum


class Exit(enum.IntEnum):
    """How a process ended; any other code but these is a defect."""

    DONE = 0  # what was asked for is done
    FAILED = 1  # an error in the study's own code, one that nobody foresaw, or damage
    REFUSED = 2  # wrong use: the message says which rule, and what to type
    INTERRUPTED = 75  # EX_TEMPFAIL of sysexits.h: the same command goes on
    LEFT = 130  # at once: a second signal, or there was nothing to go on with
