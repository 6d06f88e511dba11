"""The page's endpoints, called as a program would call them: through gradio_client, over HTTP."""

import html
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from helpers import ROOT
from helpers.checkpoints import network, slim
from PIL import Image

import cnnvis
from cnnvis.errors import PhotoError
from cnnvis.maximization.recipes import Settings
from cnnvis.network.input_check import INPUT_WARNING
from cnnvis.network.vgg import VGG16
from cnnvis.network.weights import read_weights
from cnnvis.ui.page import _network, build_page, serve
from cnnvis.ui.parts import photo
from cnnvis.ui.parts.choice import UNNAMED, Choice
from cnnvis.ui.parts.follow import Follower
from cnnvis.ui.serving.photos import DEFAULT_PHOTO
from cnnvis.ui.tabs.maps import tab as maps
from cnnvis.ui.tabs.maximize import tab as maximize

PHOTO = ROOT / "examples" / "coffee.jpg"


def test_the_layers_endpoint_lists_the_engines_31_layers(client: Client) -> None:
    layers = client.predict(api_name="/layers")
    assert [layer["name"] for layer in layers] == [layer.name for layer in cnnvis.LAYERS]
    conv3_1 = {"name": "conv3_1", "kind": "conv", "index": 10, "channels": 256, "stride": 4, "receptive_field": 24}
    assert layers[10] == conv3_1


def test_the_filters_endpoint_returns_the_engines_sheet_pixel_for_pixel(client: Client, vgg16: VGG16) -> None:
    file, record = client.predict(layer="block2_conv1", view="gray", input_channel=5, api_name="/filters")
    sheet = cnnvis.filter_sheet(vgg16, "conv2_1", "gray", 5)
    assert Image.open(file).format == "PNG"
    assert Image.open(file).tobytes() == sheet.picture.tobytes()
    assert record == json.loads(json.dumps(sheet.record()))


def test_an_uploaded_photo_gives_a_sheet_of_maps_and_a_single_map(client: Client, vgg16: VGG16) -> None:
    photo = handle_file(PHOTO)
    file, record = client.predict(photo, "features[14]", order="strength", api_name="/feature_maps")
    assert Image.open(file).format == "JPEG"
    assert record["layer"] == "conv3_3"
    assert record["strength"] == sorted(record["strength"], reverse=True)
    strongest = record["order"][0]
    picture, overlay, single = client.predict(photo, "conv3_3", strongest, api_name="/feature_map")
    assert single["mean"] == pytest.approx(record["strength"][0], abs=1e-4)
    assert single == json.loads(json.dumps(cnnvis.feature_map(vgg16, PHOTO, "conv3_3", strongest).record()))
    assert Image.open(picture).size == Image.open(overlay).size


def test_an_ascent_streams_pictures_and_the_last_one_carries_its_score(client: Client, vgg16: VGG16) -> None:
    *events, (file, record) = list(
        client.submit(layer="conv2_1", channel=3, recipe="erhan", steps=6, size=64, api_name="/maximize")
    )
    assert (events[0][1]["step"], record["step"]) == (0, 6)
    assert all(Image.open(earlier).format == "JPEG" for earlier, _ in events)
    last = Image.open(file)
    assert last.format == "PNG"
    assert json.loads(last.text["cnnvis"]) == record
    assert record["saved_activation"] == pytest.approx(cnnvis.score(vgg16, last, "conv2_1", 3).saved_activation)
    assert {"robust", "fires"} <= record.keys()
    *_, again = cnnvis.maximize(vgg16, "conv2_1", 3, Settings(**record["settings"]))
    assert again.picture.tobytes() == last.convert("RGB").tobytes()


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("/filters", {"layer": "pool1"}, "layer 'pool1' has no filters of its own"),
    ("/filters", {"view": "blue"}, "view 'blue' is unknown: choose one of auto, rgb, signed, gray"),
    ("/filters", {"input_channel": 3}, "input_channel 3 does not exist in conv1_1: choose a whole number from 0 to 2"),
    ("/feature_maps", {"image": None}, "no picture was given"),
    ("/feature_maps", {"image": handle_file(__file__)}, "not a readable picture"),
]


@pytest.mark.parametrize(("endpoint", "wrong", "sentence"), WRONG)
def test_an_error_names_the_given_value_and_the_allowed_ones(
    client: Client, endpoint: str, wrong: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(AppError) as refused:
        client.predict(**wrong, api_name=endpoint)
    assert sentence in str(refused.value)
    assert "/" not in str(refused.value)  # the message reveals no path on the server


def test_an_oversized_photo_is_refused_from_its_header_alone(client: Client, tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.png"
    Image.new("1", (9000, 9000)).save(bomb)
    with pytest.raises(AppError, match="9000 × 9000 pixels"):
        client.predict(handle_file(bomb), api_name="/feature_maps")


def test_a_single_event_draws_the_choice(page: Any) -> None:
    """Two might finish in the wrong order, and leave a channel on the page that is no longer chosen."""
    config = page.get_config_file()
    ids = {component["props"].get("elem_id"): component["id"] for component in config["components"]}
    for name in ("wall", "canvas", "window", "filter-large"):
        (event,) = (event for event in config["dependencies"] if ids[name] in event["outputs"])
        assert event["trigger_mode"] == "always_last"


# Parts fail alone


def test_a_follower_that_fails_says_so_itself_and_the_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    def broken(choice: Choice) -> tuple[str]:
        raise error

    part = object()
    follower = Follower(broken, [], [part], failed=lambda reason: (reason,))
    silent = Follower(broken, [], [part, part])
    error: Exception = PhotoError("the photo is gone: choose another.")
    assert follower.drawn(Choice(), []) == ("The photo is gone: choose another.",)
    assert caplog.text == ""
    error = ZeroDivisionError("a bug in /srv/cnnvis")
    (reason,) = follower.drawn(Choice(), [])
    assert "rest of the page still works" in reason and "/srv" not in reason
    assert "ZeroDivisionError: a bug" in caplog.text  # for the operator
    assert len(silent.drawn(Choice(), [])) == 2


def network_line() -> str:
    """What the page says about the network in the end, as a visitor reads it."""
    return html.unescape(list(_network())[-1])


@pytest.fixture
def use_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A function that saves weights in a file and makes the page use it."""

    def use(state: Any, name: str = "own.pth") -> None:
        torch.save(state, tmp_path / name)
        monkeypatch.setenv("CNNVIS_WEIGHTS", str(tmp_path / name))

    return use


def test_with_another_number_of_classes_only_the_classes_are_missing(use_weights: Callable[..., None]) -> None:
    """A network fine-tuned to ten classes, as people have them."""
    sizes = {0: (4096, 25088), 3: (4096, 4096), 6: (10, 4096)}
    classifier = {f"classifier.{number}.weight": torch.zeros(1, 1).expand(size) for number, size in sizes.items()}
    classifier |= {f"classifier.{number}.bias": torch.zeros(size[0]) for number, size in sizes.items()}
    use_weights(read_weights()[0] | classifier)
    facts = maps._draw(Choice(UNNAMED), DEFAULT_PHOTO.digest, "network")[0]
    assert "conv1_1 channel 0" in facts
    assert "VGG16 cannot classify the photo: layer 'class' has 10 classes in these weights" in html.unescape(facts)


def test_a_network_that_cannot_be_loaded_ends_the_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNVIS_WEIGHTS", str(tmp_path / "missing.safetensors"))
    assert next(_network()) == "VGG16 is loading…"
    assert network_line().startswith("VGG16 could not be loaded: weights file 'missing.safetensors' does not exist")
    assert str(tmp_path) not in network_line()


def test_the_page_does_not_start_with_another_network(
    use_weights: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    use_weights(slim(network("vgg19").features))
    assert network_line().endswith("'own.pth' holds VGG19, but the page shows only VGG16: use the command line.")
    with pytest.raises(SystemExit) as left:
        serve(build_page())
    assert left.value.code == 2 and "holds VGG19" in capsys.readouterr().err


def test_the_network_line_says_what_was_folded_and_doubts_weights_for_bytes(use_weights: Callable[..., None]) -> None:
    state = slim(network("vgg16_bn").features)
    use_weights(state)
    assert "own.pth, float32, batch norm folded into the convolutions, sha256" in network_line()
    for_bytes = {"0.weight": state["0.weight"] / 60, "1.bias": torch.ones(64)}
    use_weights(state | for_bytes, "bytes.pth")
    assert network_line().endswith(f". {INPUT_WARNING}")


def test_the_header_shows_any_photo_and_whose_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    upload = tmp_path / "upload" / "photo"
    upload.parent.mkdir()
    scene = Image.linear_gradient("L").convert("RGB").resize((2000, 500))
    for form in ("TIFF", "PPM", "PNG", "JPEG"):
        scene.save(upload, form)
        (shown,) = photo._chip(Choice(), photo._store({"path": str(upload)}))
        assert 'src="data:image/' in shown and "Your photo" in shown
    assert "Example: cat" in photo._chip(Choice(), DEFAULT_PHOTO.digest)[0]
    for digest in ("", "0" * 64):  # none, and one that has been deleted
        assert photo._chip(Choice(), digest) == ("<span>Choose a photo</span>",)


def test_repeating_a_saved_picture_says_what_has_changed_since(vgg16: VGG16, tmp_path: Path) -> None:
    *_, last = cnnvis.maximize(vgg16, "conv1_1", 3, steps=1, size=64)
    file = tmp_path / "mine.png"

    def note(**changed: str) -> str:
        record = {**last.record(), "build": last.build | changed}
        file.write_bytes(cnnvis.encode(last.picture, "png", record))
        return str(maximize._repeat(str(file))[-2])

    assert "That picture" not in note()
    assert f" That picture was made with torch 2.0 (now {torch.__version__})" in note(torch="2.0")
