"""The names under which a profile shows what the host does and what the devices do.

Without a profile they cost a microsecond a call, and nothing in a program.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax


def phase(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Show the calls of a function of the host under a name."""
    return functools.partial(jax.profiler.annotate_function, name=name)


def scope(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Show the operations that a traced function makes under a name."""

    def named(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def inside(*args: Any, **kwargs: Any) -> Any:
            with jax.named_scope(name):
                return function(*args, **kwargs)

        return inside

    return named
