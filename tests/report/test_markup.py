import json

import hypothesis.strategies as st
from hypothesis import given

from tuner.report.markup import Html, data, element, join, label, plain


def test_text_is_escaped_and_markup_is_not():
    inner = element("b", "1 < 2")
    assert element("p", "a & b ", inner) == "<p>a &amp; b <b>1 &lt; 2</b></p>"


def test_attributes_are_escaped_and_none_is_none():
    made = element("div", class_='"', data_figure="x", id=None)
    assert made == '<div class="&quot;" data-figure="x"></div>'


def test_a_child_that_is_none_is_nothing():
    assert join("a", None, "b") == "ab"


def test_a_meta_has_no_end():
    assert element("meta", charset="utf-8") == '<meta charset="utf-8">'


def test_joined_markup_is_markup():
    assert isinstance(join("<"), Html)


@given(st.text())
def test_no_text_in_data_ends_its_script(text):
    written = data(json.dumps({"name": text}))
    assert "<" not in written
    assert json.loads(written) == {"name": text}


def test_a_figure_shows_tags_and_dollars_as_they_are():
    assert plain('<a> $x$ & "') == '&lt;a&gt; &#36;x&#36; &amp; "'


def test_a_long_label_is_cut():
    assert label("x" * 24) == "x" * 24
    assert label("x" * 25) == "x" * 23 + "…"


def test_a_label_is_cut_before_it_is_escaped():
    assert label("<" * 25) == "&lt;" * 23 + "…"
