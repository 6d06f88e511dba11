"""What an address says, and what is done with one that says nonsense."""

from urllib.parse import parse_qs

import pytest

from cnnvis.recipes import RECIPES
from cnnvis.ui.links import TABS, View, read_query
from cnnvis.ui.photos import PHOTOS, example_name


def asked(query: str) -> tuple[View, list[str]]:
    return read_query({name: values[-1] for name, values in parse_qs(query, keep_blank_values=True).items()})


VIEWS = [
    View(),
    View("maps", "relu4_3", 511, pipeline="conv_chain", photo="hubble.jpg"),
    View("maximize", "conv5_3", 17, "maco", steps=12, size=96, seed=4_000_000_000),
    View("learn", "pool5", 3, seed=1),
    *(View(tab) for tab in TABS),
    *(View(recipe=recipe) for recipe in RECIPES),
    *(View(photo=photo) for photo in PHOTOS),
]


@pytest.mark.parametrize("view", VIEWS, ids=View.query)
def test_an_address_leads_back_to_its_view(view: View) -> None:
    assert asked(view.query()) == (view, [])


def test_defaults_need_no_address() -> None:
    assert View().query() == ""
    assert View("maps", "conv4_1").query() == "tab=maps&layer=conv4_1"


def test_other_dialects_and_other_peoples_parameters_pass() -> None:
    assert asked("layer=block3_conv1&__theme=dark&embed=1&utm_source=blog") == (View(layer="conv3_1"), [])


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("tab=dream", "tab 'dream' is unknown: choose one of filters, maps, maximize, learn."),
        ("layer=conv9_1", "layer 'conv9_1' does not exist"),
        ("layer=", "layer '' does not exist"),
        ("channel=64", "channel '64' does not exist in conv1_1: choose a whole number from 0 to 63."),
        ("channel=x", "channel 'x'"),
        ("recipe=lucid", "recipe 'lucid' is unknown"),
        ("steps=-1", "steps '-1' is out of range"),
        ("steps=1e9", "steps '1e9' is out of range"),
        ("size=10000", "size '10000' is out of range"),
        ("seed=-3", "seed '-3' is out of range"),
        ("pipeline=keras", "pipeline 'keras' is unknown"),
        ("photo=/etc/passwd", "photo '/etc/passwd' is unknown: choose one of chelsea.jpg"),
        ("photo=../chelsea.jpg", "photo '../chelsea.jpg' is unknown"),
    ],
)
def test_a_bad_value_is_left_at_its_default_and_said(query: str, sentence: str) -> None:
    view, (said,) = asked(f"{query}&seed=5" if "seed" not in query else query)
    assert sentence in said
    assert view == View(seed=0 if "seed" in query else 5)


def test_a_channel_is_one_of_the_layer_whatever_their_order() -> None:
    assert asked("channel=300&layer=conv5_1") == (View(layer="conv5_1", channel=300), [])
    view, wrong = asked("channel=300&layer=conv9_9")
    assert view == View()
    assert len(wrong) == 2


def test_an_example_is_known_by_its_content(tmp_path) -> None:
    copy = tmp_path / "renamed.jpg"
    copy.write_bytes(PHOTOS["coffee.jpg"].read_bytes())
    assert example_name(str(copy)) == "coffee.jpg"
    copy.write_bytes(b"else")
    assert example_name(str(copy)) is None
    assert example_name(None) is None
