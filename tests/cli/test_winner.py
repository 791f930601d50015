"""The best trial as Python that runs."""

import numpy as np
import pytest
import small

import tuner
from tuner.cli.winner import optax_of_winner, winner


def test_the_winner_is_told_with_every_hyperparameter(finished):
    title, hyperparams, *_ = winner(finished).split("\n\n")
    best = finished.best
    objective = f"valid/error {best['best_objective']:.4g}"
    assert title.startswith(f"small: trial {best['trial']} of round {best['round']}, ")
    assert f"{objective} at step {best['best_step']} of" in title
    pairs = dict(line.split() for line in hyperparams.splitlines())
    assert {name: eval(value) for name, value in pairs.items()} == {
        name.removeprefix("hp."): value
        for name, value in best.items()
        if name.startswith("hp.")
    }


def test_the_code_of_the_winner_runs(finished):
    names = {"tuner": tuner}
    exec("\n".join(winner(finished).split("\n\n")[2:]), names)
    assert names["schedule"].peak == finished.best["hp.learning_rate"]
    assert set(names["params"]) == {"w1", "b1", "w2"}


def test_the_optax_code_is_the_winner_s_schedule(finished):
    names = {}
    exec(optax_of_winner(finished), names)
    best = finished.best["trial"]
    rates = finished.metrics("train", lineage=True).filter(trial=best)["learning_rate"]
    ours = [float(names["schedule"](count)) for count in range(len(rates))]
    # Optax works in float32, ours are rounded to it at the end.
    np.testing.assert_allclose(ours, rates, rtol=1e-5)


@pytest.fixture(scope="module")
def unscheduled(tmp_path_factory):
    """A run whose schedule is a plain function."""
    study = small.study(
        space=small.space(activation="relu"),
        schedule=lambda hyperparams, steps: lambda count: hyperparams.learning_rate,
        rounds=[tuner.Round(trials=2, max_train_steps=5)],
    )
    return tuner.run(study, tmp_path_factory.mktemp("run"), layout="2x1x2")


def test_a_function_is_told_as_such(unscheduled):
    assert "schedule = the study's own function" in winner(unscheduled)


def test_a_function_is_no_optax_code(unscheduled):
    with pytest.raises(ValueError, match="is a function of the study's own: call that"):
        optax_of_winner(unscheduled)
