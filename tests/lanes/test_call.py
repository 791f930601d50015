import jax.numpy as jnp
import pytest

from tuner.lanes.call import with_best
from tuner.lanes.state import Trained

BEST = [
    # objectives of evaluations at steps 1, 2, ...         best step
    ([0.3, 0.1, 0.2], 2),
    ([0.3, 0.1, 0.1], 2),  # of equals the earliest
    ([jnp.nan, 0.2, jnp.nan], 2),  # what is no number is no best
    ([-jnp.inf, 0.2, 0.1], 3),  # nor is what is not finite
    ([jnp.nan, jnp.inf], -1),
]


@pytest.mark.parametrize(("objectives", "expected"), BEST)
def test_the_best_is_the_earliest_of_the_finite_best(objectives, expected):
    trained = Trained(
        state=jnp.float32(0),
        ok=jnp.bool_(True),
        pending=None,
        best=jnp.float32(0),
        best_objective=jnp.float32(jnp.inf),
        best_step=jnp.int32(-1),
    )
    for step, objective in enumerate(objectives, start=1):
        trained = with_best(
            trained,
            jnp.float32(step),
            jnp.float32(objective),
            jnp.int32(step),
            due=True,
        )
    assert int(trained.best_step) == expected
    assert float(trained.best) == max(expected, 0)
