"""What is declared: a space, a schedule, a task on its data, and the study of them."""

import lazy_loader

# `tuner.flax` is `tuner.study.flax`, loaded (and Flax with it) when it is first used.
__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, ["flax"])
