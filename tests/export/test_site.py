"""A site's files hold what the engine's functions return, and nothing in them leads out of its folder."""

import gzip
import html
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from helpers import EXAMPLES, ROOT
from helpers.ascents import CAT
from PIL import Image

import cnnvis
from cnnvis.errors import LayerError, SettingError
from cnnvis.export import site as sites
from cnnvis.views.figures import written
from cnnvis.views.html import Piece
from cnnvis.views.site import HALF, SMALL, TOGETHER

LAYERS = ["conv2_1", "conv5_1"]
CHANNELS = [("conv2_1", number) for number in (0, 31, 32, 127)] + [("conv5_1", number) for number in range(0, 512, 32)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site of two layers, of one photo."""
    folder = tmp_path_factory.mktemp("site")
    assert cnnvis.make_site(folder, LAYERS, [CAT], live="https://cnnvis.example/page/") == LAYERS
    return folder


def unpacked(file: Path) -> Any:
    return json.loads(gzip.decompress(file.read_bytes()))


def lens(site: Path, layer: str, name: str) -> dict[str, Any]:
    lenses: dict[str, Any] = json.loads((site / "wall" / f"{layer}.json").read_text(encoding="utf-8"))["lenses"]
    return lenses["maps"][0] if name == "maps" else lenses[name]


@pytest.mark.parametrize(("layer", "channel"), CHANNELS)
def test_a_filters_numbers_are_the_engines(site: Path, layer: str, channel: int) -> None:
    view = unpacked(site / "views" / f"{layer}-{channel // TOGETHER}.gz")[str(channel)]
    exemplars = cnnvis.exemplars(layer, channel).exemplars
    assert re.findall("<figcaption>(.*?)</figcaption>", view) == [written(one.value, ".1f") for one in exemplars]
    assert re.findall(r"url\(photos/(\d+)\.webp\)", view) == [str(one.photo) for one in exemplars]
    wires = cnnvis.wiring(cnnvis.load_vgg16(), layer, channel, 6)
    shares = re.findall(r"<i>\d+ <b>([+−]\d+\.\d %)", view)
    assert shares == [f"{'−' if w.sum < 0 else '+'}{100 * w.share:.1f} %" for w in (*wires.reads, *wires.readers)]
    assert f'href="https://cnnvis.example/page/?tab=maximize&amp;layer={layer}&amp;channel={channel}"' in view


@pytest.mark.parametrize("place", range(0, 196, 21))
def test_a_places_numbers_are_the_engines(site: Path, place: int) -> None:
    seen, net = unpacked(site / "seen" / "0-conv5_1.gz"), cnnvis.load_vgg16()
    found = cnnvis.dictionary(net, CAT, "conv5_1", *divmod(place, seen["size"]))
    named = re.findall(r"<span>(\d+) · ([^<]+)</span>", seen["here"][place])
    assert named == [(str(one.channel), written(one.above, ".1f")) for one in found.channels]


def test_groups_and_reasons_are_the_engines(site: Path) -> None:
    seen, net = unpacked(site / "seen" / "0-conv5_1.gz"), cnnvis.load_vgg16()
    shares = re.findall(r"<small>(\d+) %</small>", seen["groups"])
    assert shares == [f"{100 * one.share:.0f}" for one in cnnvis.groups(net, CAT, "conv5_1").groups]
    lead = cnnvis.dictionary(net, CAT, "conv5_1")
    assert seen["lead"] == [lead.row, lead.column]
    assert [channel for channel, _ in seen["why"]] == [one.channel for one in lead.channels]
    why = cnnvis.why(net, CAT, "conv5_1", lead.channels[0].channel, *lead.cell)
    assert f"is <b>{written(why.value)}</b> here" in seen["why"][0][1]
    with Image.open(site / seen["mosaic"]) as mosaic:
        assert mosaic.size == (448, 448)


def test_a_concepts_numbers_are_the_engines(site: Path) -> None:
    views, found = unpacked(site / "views" / "conv5_1-concepts.gz"), cnnvis.concepts("conv5_1")
    assert len(views) == len(found.concepts) == lens(site, "conv5_1", "concepts")["concepts"]
    for number, concept in enumerate(found.concepts):
        shown = re.findall("<figcaption>(.*?)</figcaption>", views[str(number)])
        assert shown == [written(one.value, ".1f") for one in concept.exemplars[:9]]
        assert f"It is {100 * concept.share:.1f} % of what" in views[str(number)]
    ours = unpacked(site / "views" / "conv5_1-8.gz")["260"]
    parts = re.findall(r'data-of="concept(\d+)"', ours)
    assert parts == [str(number) for number, _ in found.with_channel(260)[:6]]
    assert not (site / "views" / "conv2_1-concepts.gz").exists()


def test_the_quiz_asks_what_the_engine_asks(site: Path) -> None:
    for seed, quiz in enumerate(unpacked(site / "quiz" / "conv5_1.gz")):
        asked = cnnvis.quiz(seed, "conv5_1", reference="both")
        assert [one["answer"] for one in quiz] == [one.answer for one in asked]
        assert [one["channel"] for one in quiz] == [one.channel for one in asked]
        for one, question in zip(quiz, asked, strict=True):
            assert written(question.left.value) in one["said"] and html.escape(question.right.title) in one["said"]
            assert not re.search("title=|Foto|author", one["asks"] + "".join(one["sides"].values()))


def test_every_file_that_is_named_is_there_and_none_lies_elsewhere(site: Path) -> None:
    views = "".join(json.dumps(unpacked(file)) for file in sorted(site.rglob("*.gz")))
    page = (site / "index.html").read_text(encoding="utf-8")
    data = re.search('<script type="application/json" id="site">(.*?)</script>', page)
    assert data
    about = json.loads(data[1])
    assert list(about["layers"]) == LAYERS
    named = set(re.findall(r"url\(([^)]+)\)", views))
    named |= {drawn[key] for name in LAYERS for drawn in [lens(site, name, "pictures")] for key in ("src", "small")}
    named |= {lens(site, layer, name)["src"] for layer in LAYERS for name in ("kernels", "maps")}
    # What reads a layer, and what it reads, may not be among the layers shown: those pictures are not there.
    missing = {name for name in named if not (site / name).is_file()}
    assert {Path(name).parts[0] for name in missing} <= {"half"}
    assert not re.search(
        r"""(?:src|href)="(?!data:|https://|\./|credits\.html|\$\{)""", page + views.replace('\\"', '"')
    )
    assert not re.search(r"https?://(?!cnnvis\.example|www\.w3\.org)", page)


def test_sheets_lie_where_the_wall_looks_for_them(site: Path) -> None:
    sheet = cnnvis.atlas_sheet("conv5_1")
    drawn = lens(site, "conv5_1", "pictures")
    assert (drawn["cell"], drawn["gap"], drawn["columns"]) == (sheet.cell, sheet.gap, sheet.columns)
    for name, smaller in (("small", SMALL), ("half", HALF)):
        with Image.open(site / name / "conv5_1.jpg") as picture:
            assert picture.size == tuple(round(side / smaller) for side in sheet.picture.size)
    assert (site / drawn["small"]).stat().st_size < 120_000
    maps = lens(site, "conv5_1", "maps")
    with Image.open(site / maps["src"]) as picture:
        assert list(picture.size) == maps["size"]


def test_every_photo_is_credited(site: Path) -> None:
    credits = (site / "credits.html").read_text(encoding="utf-8")
    shelf = json.loads((Path(cnnvis.__file__).parent / "assets/shelf/photos.json").read_text(encoding="utf-8"))
    for number in (int(file.stem) for file in (site / "photos").iterdir()):
        assert html.escape(shelf[number]["title"]) in credits and html.escape(shelf[number]["author"]) in credits


def test_making_again_makes_only_what_is_missing(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    make = sites.make_part
    monkeypatch.setattr(sites, "make_part", lambda part: (made.append(part.layer), make(part)))
    asked: dict[str, Any] = {"photos": [CAT], "live": "https://cnnvis.example/page/"}
    cnnvis.make_site(site, LAYERS, **asked)
    assert made == []
    os.unlink(site / "wall" / "conv2_1.json")
    before = (site / "views" / "conv2_1-0.gz").read_bytes()
    done = []
    cnnvis.make_site(site, LAYERS, progress=lambda *counts: done.append(counts), **asked)
    assert made == ["conv2_1"] and done == [(3, 3)]
    assert (site / "views" / "conv2_1-0.gz").read_bytes() == before
    assert not [path for path in site.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        ({"layers": ["relu5_1"]}, LayerError, "choose a convolution"),
        ({"live": "ftp://a.example"}, SettingError, "begins with https"),
        ({"photos": [EXAMPLES / "chelsea.jpg"] * 2}, SettingError, "have one name"),
        ({"photos": [ROOT / "cnnvis" / "cli"]}, SettingError, "no photos in that folder"),
        ({"photos": ["nowhere.jpg"]}, cnnvis.PhotoError, "nowhere.jpg"),
        ({"workers": -1}, SettingError, "workers -1 is out of range"),
    ],
)
def test_what_cannot_be_shown_is_refused_before_any_work(
    asked: dict[str, Any], error: type[Exception], words: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=words):
        cnnvis.make_site(tmp_path / "site", **asked)
    assert not (tmp_path / "site").exists()


def test_somebody_elses_page_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("mine", encoding="utf-8")
    with pytest.raises(SettingError, match=r"has a index\.html that cnnvis did not make"):
        cnnvis.make_site(tmp_path, ["conv1_1"])
    assert (tmp_path / "index.html").read_text(encoding="utf-8") == "mine"


def test_a_piece_is_what_css_shows() -> None:
    piece = Piece(["a.webp", "b.jpg"], (300, 200), (50, 100, 100))
    once = "25.000% 100.000%/300.00% 200.00%"  # of how much larger the picture is than the piece
    assert piece.style() == f"background:url(a.webp) {once},url(b.jpg) {once}"
