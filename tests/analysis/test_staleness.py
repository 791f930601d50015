import pytest

from tuner.analysis.staleness import budget_conditions, changed_conditions

RANGE = {"type": "float", "low": 0.0, "high": 0.2, "log": False, "off": None}


def known(*, data="a" * 64, rounds=(), **changes):
    space = {name: d for name, d in changes.items() if isinstance(d, dict)}
    task = {name: v for name, v in changes.items() if not isinstance(v, dict)}
    task = {"batch_size": 64, "training_examples": 1000} | task
    return {"data": data, "study": {"space": space, "task": task, "rounds": [*rounds]}}


def domain(kind, **fields):
    return RANGE | {"kind": kind} | fields


def fixed(value):
    return {"type": "fixed", "value": value, "role": "fixed"}


def choice(*values, kind):
    return {"type": "choice", "values": [*values], "kind": kind, "off": None}


CHANGES = [
    # before, now, what changed, steps needed now
    ({"batch_size": 64}, {"batch_size": 32}, "batch_size", "more"),
    ({"batch_size": 64}, {"batch_size": 256}, "batch_size", "fewer"),
    ({"augment": None}, {"augment": "flip"}, "augment", "more"),
    ({"augment": "flip"}, {}, "augment", "fewer"),
    ({"data": "a" * 64}, {"data": "b" * 64}, "data", "either way"),
    ({}, {"training_examples": 500}, "training data", "either way"),
    ({}, {"dropout": domain("regularization")}, "dropout", "more"),
    (
        {"dropout": domain("regularization")},
        {"dropout": domain("regularization", high=0.5)},
        "dropout",
        "more",
    ),
    ({"mixup": domain("augmentation")}, {"mixup": fixed(0.0)}, "mixup", "fewer"),
    (
        {"width": domain("architecture", high=64)},
        {"width": fixed(256)},
        "width",
        "either way",
    ),
    (
        {"optimizer": choice("adam", kind="optimizer")},
        {"optimizer": choice("adam", "nesterov", kind="optimizer")},
        "optimizer",
        "fewer",
    ),
    (
        {"decay": choice("linear", "none", kind="schedule")},
        {"decay": fixed("cosine")},
        "decay",
        "fewer",
    ),
    ({"learning_rate": RANGE}, {"learning_rate": fixed(1.0)}, "learning_rate", "fewer"),
]


@pytest.mark.parametrize(("before", "now", "name", "steps"), CHANGES)
def test_d2_what_makes_a_budget_stale_and_which_way(before, now, name, steps):
    old, new = (budget_conditions(known(**each)) for each in (before, now))
    (change,) = changed_conditions(old, new)
    assert (change.name, change.steps) == (name, steps)
    assert changed_conditions(new, new) == []


@pytest.mark.parametrize(
    ("before", "now"),
    [
        # narrower, or decided for one of those searched
        ({"learning_rate": RANGE}, {"learning_rate": RANGE | {"high": 0.1}}),
        ({"width": choice(64, 128, kind="architecture")}, {"width": fixed(64)}),
        # of no kind that the playbook names
        ({"seeds": RANGE | {"kind": None}}, {"seeds": fixed(7)}),
        ({"warmup": domain("warm-up")}, {"warmup": domain("warm-up", high=9)}),
    ],
)
def test_d2_what_was_searched_before_is_no_change(before, now):
    old, new = (budget_conditions(known(**each)) for each in (before, now))
    assert changed_conditions(old, new) == []


def test_d2_a_searched_batch_size_counts_by_its_smallest():
    searched = known(batch_size=None)
    searched["study"]["space"]["batch_size"] = choice(16, 128, kind=None)
    (change,) = changed_conditions(*map(budget_conditions, (known(), searched)))
    assert (change.before, change.now, change.steps) == ("64", "16", "more")


def test_d2_rounds_have_conditions_of_their_own():
    wider = {"dropout": domain("regularization", high=0.5)}
    held = {"dropout": 0.0}
    rounds = [{}, {"space": wider}, {"space": {}}, {"space": held}]
    study = known(dropout=domain("regularization"), rounds=rounds)
    first, second, third, last = (budget_conditions(study, n) for n in (1, 2, 3, 4))
    (change,) = changed_conditions(first, second)
    assert (change.before, change.now) == ("0.0 to 0.2", "0.0 to 0.5")
    assert changed_conditions(second, third) == []  # it stays wider
    (change,) = changed_conditions(third, last)
    assert (change.now, change.steps) == ("0.0", "fewer")


def test_a_choice_is_said_by_its_values():
    old = known(act=choice("relu", kind="architecture"))
    new = known(act=choice("relu", "gelu", kind="architecture"))
    (change,) = changed_conditions(*map(budget_conditions, (old, new)))
    assert (change.before, change.now) == ("relu", "relu, gelu")
