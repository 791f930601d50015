"""A schedule as plain Optax code, for those who train their final model elsewhere."""

import itertools
from collections.abc import Mapping
from typing import Any

WARMUP = "optax.linear_schedule(0.0, {peak}, {warmup_steps})"
CONSTANT = "optax.constant_schedule({peak})"
DECAYS = {
    "linear": "optax.linear_schedule({peak}, {peak} * {final_fraction}, {decay_steps})",
    "cosine": "optax.cosine_decay_schedule({peak}, {decay_steps}, {final_fraction})",
    "1-sqrt": "lambda count: {peak} * (1 - (1 - {final_fraction}) "
    "* jnp.sqrt(jnp.clip(count / {decay_steps}, 0, 1)))",
    "inverse_sqrt": "lambda count: {peak} "
    "/ jnp.sqrt(1 + jnp.maximum(count, 0) / {decay_scale})",
    "none": "",
}


def optax_code(fields: Mapping[str, Any]) -> str:
    """Python that defines `schedule`.

    Args:
        fields: those of a `tuner.Schedule`, and its `decay_scale`.

    Examples:
        >>> from tuner.study.schedule import Schedule
        >>> print(Schedule(peak=0.1, constant_steps=60, decay_steps=40).optax_code())
        import optax
        <BLANKLINE>
        schedule = optax.join_schedules(
            [
                optax.constant_schedule(0.1),
                optax.linear_schedule(0.1, 0.1 * 0.0, 40),
            ],
            boundaries=[60],
        )
    """
    phases = [
        (fields["warmup_steps"], WARMUP),
        (fields["constant_steps"], CONSTANT),
        (fields["decay_steps"], DECAYS[fields["decay"]]),
    ]
    phases = [(steps, code.format(**fields)) for steps, code in phases if steps]
    ends = list(itertools.accumulate(steps for steps, _ in phases))
    schedules = "".join(f"        {code},\n" for _, code in phases)
    imports = "import jax.numpy as jnp\n" if "jnp." in schedules else ""
    return (
        f"{imports}import optax\n\n"
        f"schedule = optax.join_schedules(\n    [\n{schedules}    ],\n"
        f"    boundaries={ends[:-1]},\n)"
    )
