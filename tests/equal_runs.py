"""Whether two runs are the same: their tables, and the states that they keep."""

import polars as pl

from tuner.store.reader import MissingStateError


def assert_equal(run, other):
    """The same trials and rows, each row once, the same best and last states.

    What broke keeps no last state, maybe no best one: then the other has none either.
    """
    assert run.trials.equals(other.trials)
    for table in ("train", "valid"):
        rows = run.metrics(table)
        assert rows.equals(other.metrics(table))
        assert rows.select(pl.col("trial", "step")).is_unique().all()
    for trial in run.trials["trial"]:
        for what in ("best", "last"):
            ours, theirs = state(run, trial, what), state(other, trial, what)
            assert str(ours) == str(theirs)
            assert bytes_of(ours) == bytes_of(theirs)


def state(run, trial, what):
    """What a trial keeps, or an empty tree."""
    try:
        return run.restore(trial, what)
    except MissingStateError:
        return {}


def bytes_of(tree):
    """A state as it is compared, bit for bit."""
    if isinstance(tree, dict):
        return {name: bytes_of(value) for name, value in tree.items()}
    return tree.tobytes()


def without_notes(run):
    """The run as it would read had nobody written of what happened."""

    class Quiet(type(run)):
        @property
        def trials(self):
            return super().trials.with_columns(note=pl.lit(""))

    return Quiet(run.directory)
