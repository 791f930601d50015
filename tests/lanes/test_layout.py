import jax
import pytest

from tuner.lanes import layout as layouts
from tuner.lanes.layout import Layout

CHOICES = [
    # trials, two CPU devices: layout
    (1, "2x1x4"),
    (8, "2x1x4"),
    (9, "2x2x4"),
    (63, "2x8x4"),
    (4096, "2x8x4"),  # beyond 64 lanes trials wait
]


@pytest.mark.parametrize(("trials", "expected"), CHOICES)
def test_the_rule_gives_as_many_lanes_as_there_are_trials(trials, expected):
    assert str(layouts.choose(trials)) == expected


def test_a_layout_reads_what_it_writes():
    layout = Layout(2, 8, 4)
    assert Layout.parse(str(layout)) == layout
    assert (layout.lanes, layout.lanes_per_device) == (64, 32)


@pytest.mark.parametrize("text", ["2x8", "axbxc", "2x8x4x1x1", ""])
def test_other_texts_are_refused(text):
    with pytest.raises(ValueError, match=r'devices x chunks x width, "2x8x4", or with'):
        Layout.parse(text)


def test_numbers_below_one_are_refused():
    with pytest.raises(ValueError, match="must be at least 1"):
        Layout(2, 0, 4)


def test_more_devices_than_there_are_are_refused():
    with pytest.raises(ValueError, match="needs 3 devices, but JAX sees 2"):
        layouts.check(Layout(3, 1, 1))


def test_cores_without_a_device_are_told_of(monkeypatch):
    monkeypatch.setattr(layouts, "num_cores", lambda: 16)
    assert jax.local_device_count() == 2
    assert "JAX has 2 CPU devices for 16 cores" in layouts.idle_cores()
    monkeypatch.setattr(layouts, "num_cores", lambda: 2)
    assert layouts.idle_cores() == ""
