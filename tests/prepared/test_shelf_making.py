"""Making a shelf: the same as asking torch about every photo, however it is split, interrupted or distributed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from helpers import EXAMPLES, ROOT
from PIL import Image
from safetensors.numpy import load_file

from cnnvis.errors import PhotoError, SettingError
from cnnvis.network.architecture import CONVOLUTIONS
from cnnvis.network.vgg import VGG16, cut
from cnnvis.pictures.folders import photos_in
from cnnvis.pictures.images import crop_like_training, to_tensor
from cnnvis.pictures.photo import open_photo
from cnnvis.prepared import shelf_making
from cnnvis.prepared.shelf_making import make_shelf
from cnnvis.prepared.unfinished import NAME, pieces

PHOTOS = 12
BROKEN = {"broken.jpg", "below/a.jpg", "below/cut.png"}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pieces of the example photos, some in a subfolder, and files that are not photos."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "below").mkdir()
    examples = sorted(EXAMPLES.glob("*.jpg"))
    for number in range(PHOTOS):
        with Image.open(examples[number % len(examples)]) as opened:
            piece = opened.convert("RGB").crop((10 * number, 5 * number, 10 * number + 240, 5 * number + 230))
        piece.save(folder / ("below" if number % 3 == 0 else "") / f"{number:02}.png")
    (folder / "broken.jpg").write_bytes(b"no photo")
    (folder / "below" / "a.jpg").write_bytes(b"")
    (folder / "below" / "cut.png").write_bytes((folder / "01.png").read_bytes()[:40])
    (folder / "notes.txt").write_text("no picture", encoding="utf-8")
    (folder / ".hidden.jpg").write_bytes(b"")
    return folder


def arrays_of(shelf: Path) -> dict[str, Any]:
    return {**load_file(shelf / "index.safetensors"), **load_file(shelf / "maxima.safetensors")}


def assert_equal_shelves(first: Path, second: Path) -> None:
    arrays, others = arrays_of(first), arrays_of(second)
    assert arrays.keys() == others.keys()
    for name, array in arrays.items():
        assert array.dtype == others[name].dtype and np.array_equal(array, others[name]), name
    assert (first / "photos.json").read_text(encoding="utf-8") == (second / "photos.json").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def shelf(tiny: VGG16, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shelf") / "my.shelf"
    made = make_shelf(tiny, photos, folder, top=5, name="pieces")
    assert made.photos == PHOTOS and made.unreadable.keys() == BROKEN
    assert "empty" in made.unreadable["below/a.jpg"]
    return folder


def test_every_number_is_the_networks_own(tiny: VGG16, photos: Path, shelf: Path) -> None:
    arrays = arrays_of(shelf)
    listed = [photo["file"] for photo in json.loads((shelf / "photos.json").read_text(encoding="utf-8"))]
    assert listed == [str(photos / name) for name in photos_in(photos).files if name not in BROKEN]
    for layer in ("conv1_1", "conv2_2", "conv5_3"):
        part = cut(tiny, layer)
        with torch.inference_mode():
            maps = [part(to_tensor(crop_like_training(open_photo(file))))[0] for file in listed]
        maxima = torch.stack([values.amax((1, 2)) for values in maps])
        assert np.array_equal(arrays[layer], maxima.half().numpy())
        assert arrays[f"{layer}.mean"] == pytest.approx(maxima.double().mean(0).numpy(), rel=1e-6)
        deviation = maxima.double().std(0, correction=0).numpy()
        assert arrays[f"{layer}.deviation"] == pytest.approx(deviation, rel=1e-5, abs=1e-6)
        usual = torch.stack([values.clamp_min(0).double().mean((1, 2)) for values in maps]).mean(0).numpy()
        assert arrays[f"{layer}.usual"] == pytest.approx(usual, rel=1e-5, abs=1e-7)
        rectified = torch.stack(maps).clamp_min(0).double()
        edges = [rectified[..., 0, :], rectified[..., -1, :], rectified[..., 1:-1, 0], rectified[..., 1:-1, -1]]
        for name, cells in (("spread", rectified.flatten(2)), ("border_spread", torch.cat(edges, 2))):
            expected = cells.std((0, 2), correction=0).numpy()
            assert arrays[f"{layer}.{name}"] == pytest.approx(expected, rel=1e-4, abs=1e-6)
        assert arrays[f"{layer}.border"] == pytest.approx(torch.cat(edges, 2).mean((0, 2)).numpy(), rel=1e-5)
        for channel in range(maxima.shape[1]):
            maximum = [float(value) for value in maxima[:, channel]]
            best = sorted(range(PHOTOS), key=lambda photo: (-maximum[photo], photo))[:5]
            assert arrays[f"{layer}.photo"][channel].tolist() == best
            assert arrays[f"{layer}.low"][channel].tolist() == sorted(range(PHOTOS), key=maximum.__getitem__)[:5]
            for rank, photo in enumerate(best):
                row, column = arrays[f"{layer}.cell"][channel, rank]
                assert arrays[f"{layer}.value"][channel, rank] == float(maps[photo][channel, row, column])


@pytest.mark.parametrize("size", [1, 5, 100])
def test_any_size_of_chunk_makes_the_same_shelf(
    tiny: VGG16, photos: Path, shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(shelf_making, "CHUNKS", -(-(PHOTOS + len(BROKEN)) // size))
    make_shelf(tiny, photos, tmp_path / "other", top=5, name="pieces")
    assert_equal_shelves(tmp_path / "other", shelf)


def test_an_interrupted_run_resumes_where_it_stopped(tiny: VGG16, photos: Path, shelf: Path, tmp_path: Path) -> None:
    def interrupt(done: int, of: int) -> None:
        if done > of // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_shelf(tiny, photos, tmp_path / "other", top=5, name="pieces", progress=interrupt)
    kept = {path: path.stat().st_mtime_ns for path in pieces(tmp_path / "other" / NAME)}
    assert len(kept) > PHOTOS // 2
    seen = []
    make_shelf(tiny, photos, tmp_path / "other", top=5, name="pieces", progress=lambda done, _: seen.append(done))
    assert len(seen) == PHOTOS + len(BROKEN) - len(kept)  # no chunk twice
    assert_equal_shelves(tmp_path / "other", shelf)


def test_a_different_plan_starts_over(tiny: VGG16, photos: Path, tmp_path: Path) -> None:
    def interrupt(done: int, of: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_shelf(tiny, photos, tmp_path / "other", top=5, progress=interrupt)
    seen = []
    make_shelf(tiny, photos, tmp_path / "other", top=4, progress=lambda done, _: seen.append(done))
    assert len(seen) == PHOTOS + len(BROKEN)
    assert arrays_of(tmp_path / "other")["conv1_1.photo"].shape[1] == 4


def test_what_cannot_be_made_is_refused(tiny: VGG16, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(PhotoError, match="has no pictures"):
        make_shelf(tiny, tmp_path / "empty", tmp_path / "shelf")
    (tmp_path / "empty" / "x.jpg").write_bytes(b"x")
    with pytest.raises(PhotoError, match="none of the 1 pictures can be read"):
        make_shelf(tiny, tmp_path / "empty", tmp_path / "shelf")
    for wrong in ({"top": 0}, {"precision": "float16"}, {"workers": -1}, {"workers": 1, "scheduler": "tcp://x:1"}):
        with pytest.raises(SettingError):
            make_shelf(tiny, photos, tmp_path / "shelf", **wrong)


def test_a_large_shelf_keeps_no_maxima(
    tiny: VGG16, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf_making, "MAX_WITH_MAXIMA", 3)
    make_shelf(tiny, photos, tmp_path / "shelf")
    assert not (tmp_path / "shelf" / "maxima.safetensors").exists()


# The real network


def test_values_are_those_of_torchvision(vgg16: VGG16, features: torch.nn.Sequential, tmp_path: Path) -> None:
    """By torchvision's own network and transform. Photos of 256 px are only cropped, so all pixels are the same."""
    few = tmp_path / "few"
    few.mkdir()
    for path in sorted(EXAMPLES.glob("*.jpg")):
        with Image.open(path) as opened:
            opened.convert("RGB").crop((20, 10, 320, 266)).save(few / f"{path.stem}.png")
    make_shelf(vgg16, few, tmp_path / "shelf", top=3)
    arrays = arrays_of(tmp_path / "shelf")
    transform = torchvision.models.VGG16_Weights.IMAGENET1K_V1.transforms()
    pictures = [transform(Image.open(few / name)) for name in photos_in(few).files]
    for index, layer in ((0, "conv1_1"), (14, "conv3_3"), (28, "conv5_3")):
        with torch.inference_mode():
            maps = [features[: index + 1](picture[None])[0] for picture in pictures]
        maxima = torch.stack([values.amax((1, 2)) for values in maps])
        for channel in range(0, maxima.shape[1], 7):
            best = maxima[:, channel].argsort(descending=True, stable=True)[:3]
            assert arrays[f"{layer}.photo"][channel].tolist() == best.tolist()
            expected = maxima[best, channel].numpy()
            assert arrays[f"{layer}.value"][channel] == pytest.approx(expected, rel=1e-4, abs=1e-4)
            cells = [divmod(int(maps[photo][channel].argmax()), maps[photo].shape[2]) for photo in best.tolist()]
            assert arrays[f"{layer}.cell"][channel].tolist() == [list(cell) for cell in cells]


SCRIPT = """
import sys
from cnnvis import load_vgg16
from cnnvis.prepared.shelf_making import make_shelf
say = lambda *done: print(*done, flush=True)
make_shelf(load_vgg16(), sys.argv[1], sys.argv[2], top=5, workers=2, progress=say)
"""


@pytest.mark.slow
def test_killed_workers_and_a_killed_process_lose_at_most_what_was_in_hand(photos: Path, tmp_path: Path) -> None:
    shelf, command = tmp_path / "shelf", [sys.executable, "-c", SCRIPT, str(photos)]
    process = subprocess.Popen([*command, shelf], cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout
    process.stdout.readline()
    process.stdout.readline()
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    time.sleep(0.2)
    kept = pieces(shelf / NAME)
    assert 2 <= len(kept) < PHOTOS
    done = subprocess.run([*command, shelf], cwd=ROOT, capture_output=True, text=True, check=True)
    assert len(done.stdout.splitlines()) == PHOTOS + len(BROKEN) - len(kept)
    subprocess.run([*command, tmp_path / "other"], cwd=ROOT, check=True, capture_output=True)
    assert_equal_shelves(shelf, tmp_path / "other")
    assert set(CONVOLUTIONS) == {name for name in arrays_of(shelf) if "." not in name}
