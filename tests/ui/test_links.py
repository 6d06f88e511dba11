"""Addresses of views: what they contain, and how invalid ones are handled."""

import html
import re
from typing import Any
from urllib.parse import parse_qs, parse_qsl

import pytest
from helpers import ROOT

from cnnvis.maximization.recipes import RECIPES
from cnnvis.network.architecture import ARCHITECTURE
from cnnvis.ui.links import PARAMETERS, Address, address_of, read_query
from cnnvis.ui.parts.choice import LANDING, UNNAMED
from cnnvis.ui.serving.photos import EXAMPLES, find_photo, named_photos, photo_name
from cnnvis.ui.tabs import TABS


def asked(query: str) -> tuple[Address, list[str]]:
    return read_query({name: values[-1] for name, values in parse_qs(query, keep_blank_values=True).items()})


def address(tab: str = "filters", layer: str = "conv1_1", channel: int = 0, **values: Any) -> Address:
    return Address(tab, ARCHITECTURE.target(layer, channel), values)


ADDRESSES = [
    address(),
    address("maps", "relu4_3", 511, pipeline="conv_chain", photo="hubble.jpg"),
    address("maximize", "conv5_3", 17, recipe="maco", steps=12, size=96, seed=4_000_000_000),
    address("learn", "pool5", 3, seed=1),
    address("quiz", "conv5_1", quiz_seed=7, reference="photos", questions="5"),
    *(address(tab.id) for tab in TABS),
    *(address(recipe=recipe) for recipe in RECIPES if recipe != "fourier"),
    *(address(photo=photo) for photo in EXAMPLES if photo != "chelsea.jpg"),
]


@pytest.mark.parametrize("expected", ADDRESSES, ids=Address.query)
def test_an_address_restores_its_view(expected: Address) -> None:
    assert asked(expected.query()) == (expected, [])


@pytest.mark.parametrize("expected", ADDRESSES, ids=Address.query)
def test_controls_set_from_an_address_give_the_same_address(expected: Address) -> None:
    values = {one.name: expected.values.get(one.name, one.default) for one in PARAMETERS}
    controls = {one.name: one.decode(values[one.name]) for one in PARAMETERS}
    assert address_of(expected.tab, expected.target, controls) == expected


def test_defaults_are_left_out_of_the_address() -> None:
    assert address().query() == "tab=filters"  # one name at least, for without any it would open the atlas
    assert address("maps", "conv4_1").query() == "tab=maps&layer=conv4_1"


def test_empty_fields_and_uploaded_photos_are_left_out_of_the_address() -> None:
    controls: dict[str, Any] = {one.name: one.decode(one.default) for one in PARAMETERS}
    controls |= {"seed": None, "steps": None, "photo": "0" * 64}
    assert address_of("filters", ARCHITECTURE.target("conv1_1", 0), controls).query() == "tab=filters"


def test_seed_means_the_tabs_own() -> None:
    assert asked("tab=quiz&seed=7&layer=conv5_1&reference=picture")[0].values == {"quiz_seed": 7}
    assert asked("tab=maximize&seed=7")[0].values == {"seed": 7}
    assert asked("tab=maximize&reference=photos") == (address("maximize"), [])
    wrong = "tab=quiz&reference=sound&questions=7&seed=-1"
    found, said = asked(wrong)
    assert found == address("quiz")
    assert sorted(words.partition(":")[0] for words in said) == [
        "questions '7' is unknown", "reference 'sound' is unknown", "seed '-1' is out of range",
    ]  # fmt: skip
    controls = {one.name: one.decode(one.default) for one in PARAMETERS} | {"seed": 3, "quiz_seed": 7}
    target = ARCHITECTURE.target("conv5_1", 0)
    assert address_of("quiz", target, controls).query() == "tab=quiz&layer=conv5_1&seed=7"
    assert address_of("maximize", target, controls).query() == "tab=maximize&layer=conv5_1&seed=3"


@pytest.mark.parametrize("file", ["docs/teaching.md", "examples/lesson.html", "examples/embed.html", "README.md"])
def test_links_that_we_print_are_valid(file: str) -> None:
    text = html.unescape((ROOT / file).read_text())
    queries = re.findall(r"http://127\.0\.0\.1:7860/\?([^\s)\"<`]+)", text)
    assert queries
    for query in queries:
        assert asked(query)[1] == []


def test_other_dialects_and_unrelated_parameters_are_accepted() -> None:
    assert asked("layer=block3_conv1&__theme=dark&embed=1&utm_source=blog") == (address(layer="conv3_1"), [])


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
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
    ],
)
def test_an_invalid_value_falls_back_to_its_default_with_a_notice(query: str, sentence: str) -> None:
    other = "size=96" if "seed" in query else "seed=5"
    found, (said,) = asked(f"{query}&{other}")
    assert sentence in said
    name, value = other.split("=")
    assert found == address(**{name: int(value)})


def test_a_channel_is_checked_against_its_layer_in_either_order() -> None:
    assert asked("channel=300&layer=conv5_1") == (address(layer="conv5_1", channel=300), [])
    found, wrong = asked("channel=300&layer=conv9_9")
    assert found == address()
    assert len(wrong) == 2


def test_a_link_names_a_photo_of_the_shelf() -> None:
    found, wrong = asked("tab=maps&photo=red-panda.webp")
    assert (found, wrong) == (address(tab="maps", photo="red-panda.webp"), [])
    photo = named_photos()["red-panda.webp"]
    assert photo_name(photo.digest) == "red-panda.webp" and find_photo(photo.digest) is photo
    (parameter,) = [one for one in PARAMETERS if one.name == "photo"]
    assert parameter.decode("red-panda.webp") == photo.digest and parameter.encode(photo.digest) == "red-panda.webp"


# The atlas, which whoever comes without an address sees


@pytest.mark.parametrize("query", [{}, {"__theme": "dark"}, {"embed": "1"}, {"utm_source": "letter"}])
def test_an_address_without_our_names_opens_the_atlas(query: dict[str, str]) -> None:
    found, wrong = read_query(query)
    assert (found.tab, found.target, found.values, wrong) == ("atlas", LANDING, {}, [])
    assert found.query() == ""


@pytest.mark.parametrize("query", [{"layer": "conv1_1"}, {"channel": "0"}, {"seed": "0"}, {"tab": "filters"}])
def test_an_address_with_any_of_our_names_means_what_it_meant_before(query: dict[str, str]) -> None:
    found, _ = read_query(query)
    assert (found.tab, found.target) == ("filters", UNNAMED)
    assert read_query(dict(parse_qsl(found.query())))[0] == found


def test_the_landing_channel_elsewhere_keeps_its_address() -> None:
    assert Address("filters", LANDING, {}).query() == f"layer={LANDING.layer.name}&channel={LANDING.number}"
    assert Address("atlas", LANDING, {"seed": 3}).query().startswith("tab=atlas&layer=")
    assert Address("atlas", UNNAMED, {}).query() == "tab=atlas"
