import itertools

import numpy as np
import pytest

from tuner.report.colours import (
    BROKEN,
    INK,
    MUTED,
    NIGHT,
    OTHERS,
    PAPER,
    SERIES,
    series_colour,
    style_sheet,
)

DAY = {colour: colour for colour in NIGHT}

# What eyes without one kind of cone see, in linear RGB.
# Machado, Oliveira and Fernandes, A Physiologically-based Model for Simulation of Color
# Vision Deficiency, 2009, https://doi.org/10.1109/TVCG.2009.113
EYES = {
    "all cones": np.eye(3),
    "no red cones": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "no green cones": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
}


def linear(colour):
    """A colour in linear RGB."""
    srgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def oklab(rgb):
    """Linear RGB where distances are as seen (Björn Ottosson, 2020)."""
    cones = np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    axes = np.array(
        [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ]
    )
    return axes @ np.cbrt(np.clip(cones @ rgb, 0, None))


def contrast(a, b):
    """As the web's guidelines for accessible content define it."""
    bright, dark = sorted(
        (float(linear(c) @ [0.2126, 0.7152, 0.0722]) for c in (a, b)), reverse=True
    )
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("eye", EYES)
@pytest.mark.parametrize("mode", [DAY, NIGHT], ids=["day", "night"])
def test_every_eye_tells_the_series_apart(mode, eye):
    seen = [oklab(np.clip(EYES[eye] @ linear(mode[c]), 0, 1)) for c in SERIES]
    pairs = itertools.combinations(seen, 2)
    # black and white are 1 apart; 0.02 is seen side by side
    assert min(np.linalg.norm(a - b) for a, b in pairs) > 0.08


@pytest.mark.parametrize("mode", [DAY, NIGHT], ids=["day", "night"])
def test_text_and_marks_stand_out_from_the_paper(mode):
    # the guidelines ask 4.5 of text and 3 of marks
    assert all(contrast(mode[c], mode[PAPER]) >= 4.5 for c in (INK, MUTED, BROKEN))
    assert all(contrast(mode[c], mode[PAPER]) >= 2.8 for c in (*SERIES, OTHERS))


def test_no_colour_of_the_night_is_one_of_the_day():
    # else a second swap would change it again
    assert set(NIGHT).isdisjoint(NIGHT.values())


def test_the_series_after_the_last_colour_share_one():
    assert [series_colour(place) for place in range(7)] == [*SERIES, OTHERS, OTHERS]


def test_the_style_sheet_has_every_colour_by_day_and_by_night():
    sheet = style_sheet()
    assert all(colour in sheet for colour in [*NIGHT, *NIGHT.values()])
