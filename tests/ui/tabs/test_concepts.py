"""Concepts on the page, without a browser: what each part says of one is what the engine says."""

import html
import json
import re

import numpy as np
import pytest
import torch

import cnnvis
from cnnvis.errors import SettingError
from cnnvis.network.architecture import ARCHITECTURE
from cnnvis.network.vgg import VGG16
from cnnvis.prepared.concepts import Concepts
from cnnvis.ui.parts.choice import OF_CONCEPTS, Choice
from cnnvis.ui.parts.exemplars import best_photo, exemplar_row
from cnnvis.ui.parts.large import _enlarged
from cnnvis.ui.parts.subject import _concepts_with, concept_of, subject_of
from cnnvis.ui.parts.wall import Looks, draw_wall
from cnnvis.ui.serving.photos import DEFAULT_PHOTO, find_photo
from cnnvis.ui.tabs.atlas import _draw as draw_atlas
from cnnvis.ui.tabs.filters import _draw as draw_filters
from cnnvis.ui.tabs.maps.seen import NAMED, _concepts, aimed
from cnnvis.ui.tabs.maps.tab import _draw as draw_maps
from cnnvis.ui.tabs.maximize.preview import preview_value
from cnnvis.ui.tabs.maximize.tab import _heading

CAT, DIGEST = DEFAULT_PHOTO.path, DEFAULT_PHOTO.digest
LAYER = ARCHITECTURE.find("conv5_1")
LOOKS = Looks("concepts", "index", "auto", 0, "network", "map")


@pytest.fixture(scope="module")
def found() -> Concepts:
    return cnnvis.concepts("conv5_1")


def choice(number: int, layer: str = "conv5_1", channel: int = 260) -> Choice:
    return Choice(ARCHITECTURE.target(layer, channel), "atlas", of=f"concept{number}")


def test_the_lens_shows_every_concept_in_its_own_order(found: Concepts) -> None:
    for name in ("conv5_1", "relu5_1"):
        shown = draw_wall(ARCHITECTURE.find(name), "", LOOKS)
        assert (shown["kind"], shown["layer"], shown["said"]) == ("concept", name, "")
        assert shown["channels"] == list(range(len(found.concepts)))
        vague = sum(concept.stability < 0.7 for concept in found.concepts)
        assert f"The {len(found.concepts)} concepts of conv5_1" in shown["caption"]
        assert (f"the last {vague} are vague" in shown["caption"]) == (vague > 0)
    assert [("vague" in note) for note in shown["notes"]] == [concept.vague for concept in found.concepts]


def test_where_there_are_none_the_wall_says_so_and_shows_pictures() -> None:
    shown = draw_wall(ARCHITECTURE.find("conv3_1"), "", LOOKS)
    assert "has no concepts, its channels are the units" in shown["said"] and "conv3_1-atlas" in shown["src"]
    assert shown["kind"] == "channel"


def test_the_view_of_one_says_what_its_record_says(found: Concepts) -> None:
    for number in (0, 7, len(found.concepts) - 1):
        record = found[number].record()
        (view,) = draw_atlas(choice(number), DIGEST)
        assert view == concept_of(found, number).view(DIGEST)
        values = [f"{exemplar['value']:.1f}" for exemplar in record["exemplars"][:9]]
        assert re.findall(r"<figcaption>([\d.]+)</figcaption>", view)[:9] == values
        mixed = re.findall(r'data-channel="(\d+)"', view)
        assert mixed == [str(member["channel"]) for member in record["channels"]]
        assert f"It is {100 * record['share']:.1f} % of" in view and f"alike to {record['stability']:.2f}" in view
        assert ("so it is vague" in view) == record["vague"]


def test_the_visitors_photo_is_lit_by_the_concepts_own_map(vgg16: VGG16, found: Concepts) -> None:
    values = found.values(vgg16, CAT)
    for number in (0, 5):
        (view,) = draw_atlas(choice(number), DIGEST)
        most = float(values[number].max())
        assert '<figure class="own">' in view and f"<figcaption>{most:.1f}</figcaption>" in view
        stronger = sum(exemplar.value > most for exemplar in found.concepts[number].exemplars)
        if stronger < len(found.concepts[number].exemplars):
            assert f"{stronger or 'none'} of the 352 photos excite it more" in view
        else:
            assert "excite it more" not in view
    (alone,) = draw_atlas(choice(0), "")
    assert 'class="own"' not in alone and alone.count("<figcaption>") == 9


def test_a_filter_names_the_concepts_that_it_takes_part_in(found: Concepts) -> None:
    leading = found.concepts[2].channels[0].channel
    shown = _concepts_with(ARCHITECTURE.target("relu5_1", leading))
    numbers = [int(number) for number in re.findall(r'data-of="concept(\d+)"', shown)]
    assert 2 in numbers and numbers == [number for number, _ in found.with_channel(leading)][: len(numbers)]
    directions = {concept.concept: concept.direction for concept in found.concepts}
    assert all(leading in directions[number] for number in numbers)
    assert _concepts_with(ARCHITECTURE.target("conv3_1", 5)) == ""


def test_a_layer_without_the_concept_shows_its_filter() -> None:
    (view,) = draw_atlas(choice(999 % 64, "conv3_1", 5), DIGEST)
    assert "has no concepts" in view and "conv3_1 channel 5" in view


def test_why_here_is_the_exact_sum(vgg16: VGG16, found: Concepts) -> None:
    maps = cnnvis.feature_maps(vgg16, CAT, "conv5_1").values
    for number, (row, column) in ((0, (5, 4)), (3, (9, 9))):
        direction = found.concepts[number].direction
        adds = {channel: weight * max(0.0, float(maps[channel, row, column])) for channel, weight in direction.items()}
        value = sum(adds.values())
        assert value == pytest.approx(float(found.values(vgg16, CAT)[number, row, column]), rel=1e-4)
        shown = concept_of(found, number).why(DEFAULT_PHOTO, (row, column))
        if not value:
            assert "not here at all" in shown
            continue
        leading = sorted(adds, key=lambda channel: -adds[channel])[:6]
        assert re.findall(r'data-channel="(\d+)"', shown) == [str(channel) for channel in leading]
        assert f"Concept {number} is {value:.1f} here" in shown
        assert f"make {100 * sum(adds[channel] for channel in leading) / value:.0f} %" in shown


def test_the_dictionary_of_concepts_is_of_values_above_usual(vgg16: VGG16, found: Concepts) -> None:
    data = _concepts(vgg16, DEFAULT_PHOTO, LAYER)
    assert data and len(json.dumps(data)) < 60_000
    mean, spread = (np.array([getattr(concept, name) for concept in found.concepts]) for name in ("mean", "spread"))
    above = (found.values(vgg16, CAT).numpy() - mean[:, None, None]) / spread[:, None, None]
    for row, column in ((5, 4), (0, 13), (13, 0)):
        start, order = NAMED * (14 * row + column), np.argsort(-above[:, row, column])[:NAMED]
        assert data["numbers"][start : start + NAMED] == order.tolist()
        assert data["above"][start : start + NAMED] == pytest.approx(above[order, row, column], abs=0.051)
    assert _concepts(vgg16, DEFAULT_PHOTO, ARCHITECTURE.find("conv3_1")) is None


def test_its_map_and_photos_stand_in_the_tab_feature_maps(vgg16: VGG16, found: Concepts) -> None:
    facts, patches, exemplars, _, place, why, *_ = draw_maps(choice(4), DIGEST, "network", 5, 4)
    assert "concept 4 of conv5_1" in facts and f"of {len(found.concepts)} by its mean" in facts
    assert exemplars == exemplar_row(choice(4)) and "photos that excite concept 4 of conv5_1 most" in exemplars
    assert "map-before" not in facts and 'alt="concept 4 of conv5_1, values' in facts
    most = float(found.values(vgg16, CAT)[4].max())
    assert f"to {most:.2f}, mean" in facts and f"<figcaption>{most:.2f}</figcaption>" in patches
    assert "Concept 4" in json.loads(place)["views"] and why == concept_of(found, 4).why(DEFAULT_PHOTO, (5, 4))


def test_its_photos_open_large_and_become_the_visitors(found: Concepts) -> None:
    first = found.concepts[4].exemplars[0]
    shown = _enlarged(subject_of(choice(4)), "0")
    assert html.escape(first.title) in shown and f"{first.value:.1f}" in shown and "concept 4 of conv5_1" in shown
    digest, row, column = best_photo(choice(4).value(), 0)
    assert (row, column) == (first.row, first.column)
    photo = find_photo(digest)
    assert photo and photo.path.read_bytes() == found.shelf.path(first.photo).read_bytes()
    words = _enlarged(subject_of(choice(4)), "grown")
    assert "Concept 4 of conv5_1" in words and f"{found.made['tiles'][4]['robust']:.1f} on copies" in words


def test_it_grows_as_a_direction(found: Concepts) -> None:
    target, colour = aimed(choice(6, "relu5_1"), "", None, None)
    assert dict(target.direction) == found[6].direction and str(target) == "conv5_1 concept-6" and colour == ""
    assert _heading(choice(6, "relu5_1")) == "### conv5_1 · concept 6"
    assert 'data-name="conv5_1 concept-6"' in preview_value(choice(6))
    with pytest.raises(SettingError, match="concept 63 is out of range"):
        aimed(choice(63), "", None, None)
    assert Choice(of="group1").concept is None and Choice(of=OF_CONCEPTS[12]).concept == 12


def test_it_has_no_weights_but_names_its_filters(found: Concepts) -> None:
    mixed, facts = draw_filters(choice(5))
    assert ">conv5_1 · concept 5</h3>" in mixed and facts == ""
    assert re.findall(r'data-channel="(\d+)"', mixed) == [str(m.channel) for m in found.concepts[5].channels[:12]]
    assert torch.tensor([member.weight for member in found.concepts[5].channels]).diff().le(0).all()
