"""What a perfect fit is judged by."""

import fittable
import numpy as np
import pytest
import small

import tuner
from tuner.study.perfect import on_training_set, perfect_fit
from tuner.study.stopping import Evaluations
from tuner.study.study import Minimize

HYPERPARAMS = {"activation": "relu", "learning_rate": 0.1, "weight_decay": 0.0}
ERROR = Minimize("valid/error")


def returning(*names):
    """A task whose evaluation returns these metrics."""

    def evaluate(*arguments):
        error = small.evaluate(*arguments)["error"]
        return dict.fromkeys(names, error)

    return on_training_set(fittable.task(evaluate=evaluate))


def choose(task, objective=ERROR, **options):
    perfect = perfect_fit(task, HYPERPARAMS, objective, **options)
    return perfect.metric, perfect.value, perfect.maximize


CHOSEN = [
    # metrics                 objective's    is chosen
    (["loss", "error"], "error", ("train/error", 0.0, False)),
    (["loss", "error"], "loss", ("train/error", 0.0, False)),
    (["accuracy", "loss"], "loss", ("train/accuracy", 1.0, True)),
    (["accuracy", "error"], "accuracy", ("train/accuracy", 1.0, True)),
    (["accuracy", "error"], "auc", ("train/error", 0.0, False)),
]


@pytest.mark.parametrize(("names", "objective", "chosen"), CHOSEN)
def test_an_error_or_an_accuracy_is_found_the_objectives_own_first(
    names, objective, chosen
):
    assert choose(returning(*names), Minimize(f"valid/{objective}")) == chosen


def test_a_metric_may_be_named_with_its_perfect_value():
    task = returning("loss", "error")
    chosen = choose(task, metric="train/loss", value=0.01)
    assert chosen == ("train/loss", 0.01, False)


def test_a_metric_may_be_named_with_its_direction():
    chosen = choose(returning("f1"), metric=tuner.Maximize("train/f1"))
    assert chosen == ("train/f1", 1.0, True)


def test_a_loss_alone_is_refused():
    message = "an error of 0 or an accuracy of 1, but .* reports train/loss: let .*--me"
    with pytest.raises(ValueError, match=message):
        choose(returning("loss"))


def test_a_metric_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="unknown metric of the training set 'train/a"):
        choose(returning("loss"), metric="train/accuracy")


def test_a_metric_of_unknown_direction_is_refused():
    message = "'train/f1' is to be small or large must be said, but got its name alone"
    with pytest.raises(ValueError, match=message):
        choose(returning("f1"), metric="train/f1")


def test_it_is_judged_on_the_training_set_alone_and_without_augmentation():
    def augment(key, hyperparams, batch):
        return batch

    task = fittable.task(augment=augment)
    judged = on_training_set(task)
    assert list(judged.data["sets"]) == ["train"]
    assert np.array_equal(judged.data["sets"]["train"][0], fittable.X)
    assert judged.functions.augment is None
    assert (task.functions.augment, list(task.data["sets"])) == (augment, ["valid"])


def test_a_set_that_is_evaluated_on_as_train_stays_the_one():
    part = tuner.Arrays(fittable.X[:10], fittable.Y[:10])
    judged = on_training_set(fittable.task(evaluate_on={"train": part}))
    assert judged.data["sets"]["train"][0].shape == (10, 64)


def test_a_source_cannot_be_evaluated_on():
    source = tuner.Source(list(zip(fittable.X, fittable.Y, strict=True)))
    with pytest.raises(ValueError, match=r"has train=a Source .* source.load\(\)"):
        on_training_set(small.task(train=source))


def test_an_accuracy_may_be_rounded_but_no_example_wrong():
    perfect = perfect_fit(returning("accuracy"), HYPERPARAMS, ERROR)
    assert perfect.is_met(1 - 2**-24)
    assert not perfect.is_met(1 - 1e-5)
    assert not perfect.is_met(None)


def test_as_a_rule_it_stops_what_has_ever_fitted():
    perfect = perfect_fit(returning("error"), HYPERPARAMS, ERROR)

    def asked(*errors):
        values = np.array(errors, np.float32)
        steps = np.arange(1, len(errors) + 1)
        return perfect(
            Evaluations(step=steps, objective=values, metrics={}, max_train_steps=9)
        )

    assert [asked(0.5, 0.1), asked(0.5, 0.0, 0.1)] == [False, True]
