import pytest

from tuner.rounds.cadence import Cadence

NEXT = [
    # elapsed  cost of the last  seconds to the next
    (0, 0.0, 1),  # never less than a second
    (50, 0.01, 1),  # 1 % of 50 s is half a second
    (1000, 0.01, 10),  # 1 % of the time so far
    (100_000, 0.01, 60),  # but a minute at most
    (100_000, 5.0, 100),  # unless commits are dear: 20 times the last
]


@pytest.mark.parametrize(("elapsed", "cost", "wait"), NEXT)
def test_the_next_commit_comes_when_it_is_worth_it(elapsed, cost, wait):
    now = [0.0]
    cadence = Cadence(clock=lambda: now[0])
    now[0] = elapsed
    cadence.committed(cost)
    now[0] = elapsed + wait - 1e-6
    assert not cadence.due()
    now[0] = elapsed + wait
    assert cadence.due()


def test_the_first_commit_is_due_at_once():
    assert Cadence(clock=lambda: 0.0).due()


def test_none_is_due_that_would_take_longer_than_what_is_left():
    now = [0.0]
    cadence = Cadence(clock=lambda: now[0])
    cadence.committed(0.5)
    now[0] = 60.0
    assert not cadence.due(lambda: 0.5)
    assert cadence.due(lambda: 0.6)
