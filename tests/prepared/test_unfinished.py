"""The folder for unfinished work: held by one making at a time, and nobody else's file is removed or replaced."""

from pathlib import Path

import pytest
from PIL import Image

from cnnvis.errors import SettingError, UnavailableError
from cnnvis.network.vgg import VGG16
from cnnvis.prepared.atlas_making import make_atlas
from cnnvis.prepared.shelf_making import make_shelf
from cnnvis.prepared.unfinished import LOCK, MARK, NAME, held, piece_file, pieces, write_whole

OUTPUTS = ("record.json", "table.bin")


def tree(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def photo_in(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    Image.linear_gradient("L").save(folder / "a.png")
    return folder


def stop(*_: int) -> None:
    raise KeyboardInterrupt


def test_a_making_in_a_folder_with_files_leaves_them_as_they_are(tiny: VGG16, tmp_path: Path) -> None:
    """`shelf make own -o own`, where folders happen to have names that an earlier version used for itself."""
    own = photo_in(tmp_path / "own")
    for name in ("chunks/diary.txt", "chunks/000000.safetensors", "unfinished/conv1_1/plan", "index.part"):
        (own / name).parent.mkdir(parents=True, exist_ok=True)
        (own / name).write_bytes(b"mine")
    before = tree(own)
    with pytest.raises(KeyboardInterrupt):
        make_shelf(tiny, own, own, progress=stop)
    make_shelf(tiny, own, own)
    make_shelf(tiny, own, own, top=3)
    make_atlas(tiny, ["conv1_1"], own)
    after = tree(own)
    assert before.items() <= after.items()
    assert set(after) - set(before) == {
        "shelf.json", "photos.json", "index.safetensors", "maxima.safetensors", "conv1_1.json", "conv1_1.webp",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["photos.json", "shelf.json", "maxima.safetensors", "conv1_1.webp", "conv1_1.json"])
def test_somebody_elses_file_is_not_replaced(tiny: VGG16, tmp_path: Path, name: str) -> None:
    own = photo_in(tmp_path / "own")
    (own / name).write_bytes(b"mine")
    before = tree(own)
    with pytest.raises(SettingError, match=rf"'own' has a {name} that cnnvis did not make: choose another folder"):
        make_atlas(tiny, ["conv1_1"], own) if name.startswith("conv") else make_shelf(tiny, own, own)
    assert tree(own) == before and not (own / NAME).exists()


def test_somebody_elses_folder_of_that_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    (tmp_path / NAME / "diary.txt").write_bytes(b"mine")
    with pytest.raises(SettingError, match=r"has files of somebody else"), held(tmp_path, OUTPUTS):
        pass
    assert tree(tmp_path) == {f"{NAME}/diary.txt": b"mine"}


def test_a_file_that_somebody_puts_there_stays(tmp_path: Path) -> None:
    with held(tmp_path, OUTPUTS) as folder:
        (folder / "diary.txt").write_bytes(b"mine")
    assert tree(tmp_path) == {f"{NAME}/diary.txt": b"mine"}


def test_finished_pieces_outlast_an_interruption_and_half_written_ones_do_not(tmp_path: Path) -> None:
    with held(tmp_path, OUTPUTS) as folder:
        write_whole(folder, piece_file(folder, {"photo": 1}), b"done")
        (folder / "piece.cnnvis-part").write_bytes(b"half")
    assert {path.name for path in folder.iterdir()} == {MARK, LOCK, piece_file(folder, {"photo": 1}).name}
    (tmp_path / OUTPUTS[1]).touch()  # written by the making that was interrupted
    with held(tmp_path, OUTPUTS) as folder:
        assert [path.read_bytes() for path in pieces(folder)] == [b"done"]


def test_two_makings_do_not_share_a_folder(tiny: VGG16, tmp_path: Path) -> None:
    """That a making killed by SIGKILL lets go is in test_shelf_making.py and test_atlas_making.py."""
    photos, shelf = photo_in(tmp_path / "photos"), tmp_path / "my.shelf"
    words = r"another making is running in folder 'my\.shelf': wait until it ends, or choose another folder\."

    def meanwhile(*_: int) -> None:
        with pytest.raises(UnavailableError, match=words):
            make_shelf(tiny, photos, shelf)

    assert make_shelf(tiny, photos, shelf, progress=meanwhile).photos == 1
    with held(shelf, OUTPUTS, "conv1_1"):
        with pytest.raises(UnavailableError, match=words):
            make_atlas(tiny, ["conv1_1"], shelf)
        make_atlas(tiny, ["conv1_2"], shelf)  # another layer may be made at the same time
    assert {path.name for path in shelf.iterdir()} >= {"shelf.json", "conv1_2.json"}
    assert not list(shelf.glob(".*"))


def test_a_folder_that_cannot_be_written_is_refused_before_the_work(tiny: VGG16, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingError, match=r"folder 'shelf' cannot be written \(Not a directory\): choose another"):
        make_shelf(tiny, photo_in(tmp_path / "photos"), tmp_path / "file" / "shelf")
