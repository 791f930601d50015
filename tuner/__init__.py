"""Hyperparameter tuning for JAX: many short trials in one program, the best go further.

A `Study` is declared in Python, trained by `run`, carried on by `promote` and read by
`open_run`. The public names are listed in the stub beside this file; each is loaded
when it is first used, so that what only reads a run starts without JAX.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
