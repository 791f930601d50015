import numpy as np
import pytest

from tuner.study.schedule import Schedule, rates_of

SCHEDULES = [
    Schedule(
        peak=0.3,
        warmup_steps=warmup_steps,
        constant_steps=constant_steps,
        decay_steps=decay_steps,
        decay=decay,
        final_fraction=final_fraction,
    )
    for decay, decay_steps, final_fraction in [
        ("linear", 20, 0.0),
        ("linear", 20, 0.1),
        ("cosine", 20, 0.1),
        ("1-sqrt", 20, 0.1),
        ("inverse_sqrt", 20, 0.0),
        ("none", 0, 0.0),
        ("linear", 0, 0.0),
    ]
    for warmup_steps in (0, 7)
    for constant_steps in (0, 11)
    if warmup_steps + constant_steps + decay_steps
]


@pytest.mark.parametrize("schedule", SCHEDULES, ids=str)
def test_the_code_has_the_rates_of_the_schedule(schedule):
    variables = {}
    exec(schedule.optax_code(), variables)
    # Optax computes in float32, to 1e-6 of the peak where a small rate is a difference.
    np.testing.assert_allclose(
        rates_of(variables["schedule"], schedule.max_train_steps),
        schedule.rates(),
        rtol=1e-6,
        atol=1e-6 * schedule.peak,
    )


@pytest.mark.parametrize("decay", ["linear", "cosine", "1-sqrt"])
def test_after_its_end_the_code_stays_at_the_final_rate(decay):
    schedule = Schedule(peak=0.3, decay_steps=20, decay=decay, final_fraction=0.1)
    variables = {}
    exec(schedule.optax_code(), variables)
    # Optax computes in float32.
    assert rates_of(variables["schedule"], 30)[20:] == pytest.approx(0.03, rel=1e-6)


def test_the_code_needs_nothing_but_jax_and_optax():
    code = Schedule(peak=0.1, decay_steps=10, decay="1-sqrt").optax_code()
    assert code.startswith("import jax.numpy as jnp\nimport optax\n\nschedule = ")


def test_the_code_leaves_out_empty_phases():
    assert Schedule(peak=0.1, constant_steps=10).optax_code() == (
        "import optax\n"
        "\n"
        "schedule = optax.join_schedules(\n"
        "    [\n"
        "        optax.constant_schedule(0.1),\n"
        "    ],\n"
        "    boundaries=[],\n"
        ")"
    )
