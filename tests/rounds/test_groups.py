import pytest
import small

import tuner
from tuner.rounds.groups import by_group
from tuner.rounds.trials import planned

CHOICES = [
    # values, names of the programs
    (("relu", "tanh"), ["activation=relu", "activation=tanh"]),
    ((None, "None"), ["activation=None", "activation='None'"]),
    ((True, False), ["activation=True", "activation=False"]),
]


@pytest.mark.parametrize(("values", "names"), CHOICES)
def test_each_static_value_has_a_program(values, names):
    choice = tuner.Choice(*values, role="scientific")
    rounds = [tuner.Round(trials=4, max_train_steps=20)]
    study = small.study(space=small.space(activation=choice), rounds=rounds)
    groups = by_group(study, planned(study, 1))
    assert list(groups) == names
    assert [len(members) for members in groups.values()] == [2, 2]


def test_a_point_that_changes_a_fixed_value_has_a_program_of_its_own():
    point = {"learning_rate": 0.01, "weight_decay": 0.1, "warmup_steps": 0}
    rounds = [tuner.Round(trials=1, points=[point], max_train_steps=20)]
    space = small.space(activation="relu", weight_decay=0.0)
    study = small.study(space=space, rounds=rounds)
    assert list(by_group(study, planned(study, 1))) == ["all", "weight_decay=0.1"]
