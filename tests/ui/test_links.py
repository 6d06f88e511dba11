"""Addresses of views: what they contain, and what happens to invalid ones."""

import html
import re
from typing import Any
from urllib.parse import parse_qs, parse_qsl

import gradio as gr
import pytest
from helpers import ROOT

from cnnvis.errors import LayerError
from cnnvis.maximization.recipes import RECIPES
from cnnvis.network.architecture import ARCHITECTURE
from cnnvis.ui.links import PARAMETERS, Address, address_of, read_query
from cnnvis.ui.parts.choice import LANDING, UNNAMED
from cnnvis.ui.serving.handlers import plain_errors, readable_errors
from cnnvis.ui.serving.photos import EXAMPLES, find_photo, named_photos, photo_name
from cnnvis.ui.tabs import TABS


def read(query: str) -> tuple[Address, list[str]]:
    return read_query({name: values[-1] for name, values in parse_qs(query, keep_blank_values=True).items()})


def address(tab: str = "filters", layer: str = "conv1_1", channel: int = 0, **values: Any) -> Address:
    return Address(tab, ARCHITECTURE.target(layer, channel), values)


ADDRESSES = [
    address(),
    address("maps", "relu4_3", 511, pipeline="conv_chain", photo="hubble.jpg"),
    address("maximize", "conv5_3", 17, recipe="maco", steps=12, size=96, seed=4_000_000_000),
    address("learn", "pool5", 3, seed=1),
    address("quiz", "conv5_1", quiz_seed=7, about="concepts", reference="photos", questions="5"),
    address("atlas", "conv5_1", 260, of="concept3", lens="concepts"),
    address("maximize", "relu5_1", 5, of="group2"),
    *(address(tab.id) for tab in TABS),
    *(address(recipe=recipe) for recipe in RECIPES if recipe != "fourier"),
    *(address(photo=photo) for photo in EXAMPLES if photo != "chelsea.jpg"),
]


def controls(**values: Any) -> dict[str, Any]:
    """The values of the controls of the page, as an address would set them."""
    given = {parameter.name: parameter.default for parameter in PARAMETERS} | values
    return {parameter.name: parameter.decode(given[parameter.name]) for parameter in PARAMETERS}


@pytest.mark.parametrize("expected", ADDRESSES, ids=Address.query)
def test_an_address_restores_its_view_and_the_view_gives_the_address(expected: Address) -> None:
    assert read(expected.query()) == (expected, [])
    assert address_of(expected.tab, expected.target, controls(**expected.values)) == expected


def test_defaults_are_left_out_of_the_address() -> None:
    assert address().query() == "tab=filters"  # at least one name: without any it would open the atlas
    assert address("maps", "conv4_1").query() == "tab=maps&layer=conv4_1"


def test_empty_fields_and_uploaded_photos_are_left_out_of_the_address() -> None:
    given = controls(seed=None, steps=None) | {"photo": "0" * 64}
    assert address_of("filters", UNNAMED, given).query() == "tab=filters"


def test_seed_means_the_tabs_own() -> None:
    assert read("tab=quiz&seed=7&layer=conv5_1&reference=picture")[0].values == {"quiz_seed": 7}
    assert read("tab=maximize&seed=7")[0].values == {"seed": 7}
    assert read("tab=maximize&reference=photos") == (address("maximize"), [])
    restored, notices = read("tab=quiz&reference=sound&questions=7&seed=-1")
    assert restored == address("quiz")
    assert sorted(notice.partition(":")[0] for notice in notices) == [
        "questions '7' is unknown", "reference 'sound' is unknown", "seed '-1' is out of range",
    ]  # fmt: skip
    target, seeds = ARCHITECTURE.target("conv5_1", 0), controls(seed=3, quiz_seed=7)
    assert address_of("quiz", target, seeds).query() == "tab=quiz&layer=conv5_1&seed=7"
    assert address_of("maximize", target, seeds).query() == "tab=maximize&layer=conv5_1&seed=3"


@pytest.mark.parametrize("file", ["docs/teaching.md", "examples/lesson.html", "examples/embed.html", "README.md"])
def test_links_that_we_print_are_valid(file: str) -> None:
    text = html.unescape((ROOT / file).read_text(encoding="utf-8"))
    queries = re.findall(r"http://127\.0\.0\.1:7860/\?([^\s)\"<`]+)", text)
    assert queries and not any(read(query)[1] for query in queries)


def test_other_dialects_and_unrelated_parameters_are_accepted() -> None:
    assert read("layer=block3_conv1&__theme=dark&embed=1&utm_source=blog") == (address(layer="conv3_1"), [])


@pytest.mark.parametrize(("query", "notice"), [
    ("tab=dream", "tab 'dream' is unknown: choose one of atlas, filters, maps, maximize, learn, quiz."),
    ("layer=conv9_1", "layer 'conv9_1' does not exist"),
    ("layer=", "layer '' does not exist"),
    ("layer=class", "layer 'class' belongs to the classifier"),
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
    ("of=concept3", "layer 'conv1_1' has no concepts"),
    ("of=concept64", "of 'concept64' is unknown"),
])  # fmt: skip
def test_an_invalid_value_falls_back_to_its_default_with_a_notice(query: str, notice: str) -> None:
    restored, (told,) = read(f"{query}&lesson=2")
    assert notice in told and restored == address(lesson=2)


def test_a_concept_that_the_layer_does_not_have_is_said() -> None:
    restored, (told,) = read("layer=conv5_1&of=concept63&tab=atlas")
    assert told.startswith("concept 63 is out of range") and restored == address("atlas", "conv5_1")


def test_a_channel_is_checked_against_its_layer_in_either_order() -> None:
    assert read("channel=300&layer=conv5_1") == (address(layer="conv5_1", channel=300), [])
    restored, notices = read("channel=300&layer=conv9_9")
    assert restored == address() and len(notices) == 2


def test_a_link_names_a_photo_of_the_shelf() -> None:
    assert read("tab=maps&photo=red-panda.webp") == (address(tab="maps", photo="red-panda.webp"), [])
    photo = named_photos()["red-panda.webp"]
    assert photo_name(photo.digest) == "red-panda.webp" and find_photo(photo.digest) is photo
    (parameter,) = [parameter for parameter in PARAMETERS if parameter.name == "photo"]
    assert parameter.decode("red-panda.webp") == photo.digest and parameter.encode(photo.digest) == "red-panda.webp"


# The atlas, which visitors see who come without an address


@pytest.mark.parametrize("query", [{}, {"__theme": "dark"}, {"embed": "1"}, {"utm_source": "letter"}])
def test_an_address_without_our_names_opens_the_atlas(query: dict[str, str]) -> None:
    assert read_query(query) == (Address("atlas", LANDING, {}), [])
    assert Address("atlas", LANDING, {}).query() == ""


@pytest.mark.parametrize("query", [{"layer": "conv1_1"}, {"channel": "0"}, {"seed": "0"}, {"tab": "filters"}])
def test_an_address_with_any_of_our_names_means_what_it_meant_before(query: dict[str, str]) -> None:
    restored, _ = read_query(query)
    assert (restored.tab, restored.target) == ("filters", UNNAMED)
    assert read_query(dict(parse_qsl(restored.query())))[0] == restored


def test_the_landing_channel_elsewhere_keeps_its_address() -> None:
    assert Address("filters", LANDING, {}).query() == f"layer={LANDING.layer.name}&channel={LANDING.number}"
    assert Address("atlas", LANDING, {"seed": 3}).query().startswith("tab=atlas&layer=")
    assert Address("atlas", UNNAMED, {}).query() == "tab=atlas"


def test_what_an_address_says_is_shown_as_text() -> None:
    """Gradio draws a notice and an error's message as HTML."""

    @readable_errors
    def refuse() -> None:
        raise LayerError.unknown("<a href=//x.y>Log in</a>", ["conv1_1"])

    with pytest.raises(gr.Error) as refused:
        refuse()
    assert "&lt;a href=//x.y&gt;Log in" in refused.value.message
    with pytest.raises(gr.Error, match=r"<a href=//x\.y>Log in"):
        plain_errors(refuse.__wrapped__)()  # type: ignore[attr-defined]  # programs get the sentence as it is
