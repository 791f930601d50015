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
