"""Digits under a cosine: the same question, the longer runs under a stretched cosine.

A cosine has no constant phase to lengthen: a longer run is trained afresh, with the
same base rate, under a cosine stretched to its horizon.

Question: as `digits.py`, each trial annealed by a cosine to zero.
Command: tuner run studies/digits_cosine.py
Time: 30 to 45 s on two cores, most of it the compilation of three programs.
Result: gelu and relu reach no error on the 297 validation digits, tanh one (0.0034).
    Three of the nine promoted trials end worse than their parents; none can resume
    beyond its warm-up.
"""

import dataclasses

import digits

import tuner


def schedule(hyperparams, max_train_steps):
    return tuner.cosine(
        hyperparams.learning_rate,
        max_train_steps,
        warmup_steps=hyperparams.warmup_steps,
    )


study = dataclasses.replace(
    digits.study,
    name="digits_cosine",
    goal="Rank three activations for a small MLP on 8x8 digits, under a cosine.",
    schedule=schedule,
    rounds=[
        tuner.Round(trials=63, max_train_steps=500),
        tuner.Round(keep=9, max_train_steps=2000, extend=tuner.Stretch()),
    ],
)


def smoke():
    """The study in a few seconds: one trial of each activation, a promoted one each."""
    return dataclasses.replace(
        study,
        rounds=[
            tuner.Round(trials=3, max_train_steps=50),
            tuner.Round(keep=3, max_train_steps=100, extend=tuner.Stretch()),
        ],
    )
