"""The noisy quadratic model: which schedule does gradient descent want, at which rate?

A thousand directions of curvature 1/i, each with gradient noise of its own, one example
a step. What is trained is the second moment of every direction, so the loss is the
expected one, and the same in every run: a problem on which rules for schedules can be
checked (Guodong Zhang et al., Which Algorithmic Choices Matter at Which Batch Sizes?
Insights From a Noisy Quadratic Model, 2019, https://arxiv.org/abs/1907.04164).

Question: Which of four schedules reaches the lowest loss, and where does its best rate
    go as the horizon grows?
Command: tuner run studies/noisy_quadratic.py
Time: 12 s on two cores, a third of it the training of 300,000 trial-steps.
Result: a linear decay, then a cosine, then 80 % constant and a linear decay, then a
    constant rate: at 100 steps 1.36, 1.41, 1.43, 1.56, at 1,600 steps 0.34, 0.35, 0.39,
    0.56. The best rate falls for each of them, for a constant one from 0.29 to 0.15,
    and the report says so. Longer training would go on to help, though every curve of
    a decayed rate is flat at its end.
"""

import dataclasses

import jax.numpy as jnp

import tuner

CURVATURE = 1 / jnp.arange(1, 1001)
FAMILIES = {
    "constant": lambda peak, steps: tuner.warmup_constant_decay(
        peak, steps, decay="none"
    ),
    "linear": lambda peak, steps: tuner.warmup_constant_decay(
        peak, steps, decay_fraction=1.0
    ),
    "cosine": tuner.cosine,
    "stable": lambda peak, steps: tuner.warmup_constant_decay(
        peak, steps, decay_fraction=0.2
    ),
}


class NoisyQuadratic(tuner.Task):
    """Gradient descent on a quadratic, as the recurrence of its second moments."""

    def init(self, key, hyperparams):
        """Every direction at a distance of one."""
        return jnp.ones_like(CURVATURE)

    def step(self, key, hyperparams, moments, learning_rate):
        """One update, whose noise has the curvature for its variance."""
        shrunk = jnp.square(1 - learning_rate * CURVATURE) * moments
        moments = shrunk + jnp.square(learning_rate) * CURVATURE
        return moments, {"loss": _loss(moments)}

    def evaluate(self, key, hyperparams, moments):
        """The expected loss."""
        return {"loss": _loss(moments)}


def _loss(moments):
    return jnp.sum(CURVATURE * moments) / 2


study = tuner.Study(
    name="noisy_quadratic",
    goal="Which schedule does a noisy quadratic want, at which rate and horizon?",
    space=tuner.Space(
        family=tuner.Choice(*FAMILIES, role="scientific", kind="schedule"),
        learning_rate=tuner.Float(0.05, 1.9, log=True, hard="high"),
    ),
    task=NoisyQuadratic(),
    schedule=lambda hyperparams, steps: FAMILIES[hyperparams.family](
        hyperparams.learning_rate, steps
    ),
    objective="valid/loss",
    sampling="grid",
    rounds=[
        tuner.Round(trials=160, max_train_steps=100),
        tuner.Round(keep=160, max_train_steps=400, extend=tuner.Stretch()),
        tuner.Round(keep=160, max_train_steps=1600, extend=tuner.Stretch()),
    ],
    eval_every=5,
)


def smoke():
    """The same in small."""
    rounds = [
        tuner.Round(trials=8, max_train_steps=20),
        tuner.Round(keep=4, max_train_steps=40, extend=tuner.Stretch()),
    ]
    return dataclasses.replace(study, rounds=rounds)
