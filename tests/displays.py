"""Displays for tests: those that interrupt the run they show, one that keeps notes."""

import os
import signal

from tuner.rounds.display import Silent


class StopAfter(Silent):
    """Sends this process a signal once so many calls have been read."""

    def __init__(self, calls):
        self.left = calls

    def advanced(self, standing):
        self.left -= 1
        if not self.left:
            self.interrupt()

    def interrupt(self):
        os.kill(os.getpid(), signal.SIGINT)


class RaiseAfter(StopAfter):
    """Raises an error then, so that nothing more is committed."""

    def interrupt(self):
        raise RuntimeError("from outside")


class Told(Silent):
    """Keeps what it is told, but for the hint about cores, which this machine decides.

    Attributes:
        notes: in their order.
        standings: one for every call that was read.
    """

    def __init__(self):
        self.notes, self.standings = [], []

    def note(self, text):
        self.notes += [] if text.startswith("JAX") else [text]

    def advanced(self, standing):
        self.standings.append(standing())
