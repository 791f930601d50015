"""How often this process has compiled anything with XLA."""

import itertools

import jax

_counter = itertools.count()
_seen = [next(_counter)]


def compilations() -> int:
    """All compilations since this module was imported, of whatever part."""
    return _seen[0]


def _listen(event: str, duration_secs: float, **_: object) -> None:
    if "backend_compile" in event:
        _seen[0] = next(_counter)


jax.monitoring.register_event_duration_secs_listener(_listen)
