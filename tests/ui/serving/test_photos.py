"""Photos on the page: they are found by digest, kept while in use, and reported as gone after that."""

import hashlib
import io
import json
from pathlib import Path

import pytest
from PIL import Image

from cnnvis.errors import PhotoError
from cnnvis.pictures.images import encode
from cnnvis.ui.serving.files import content_path, sweep
from cnnvis.ui.serving.photos import EXAMPLES, find_photo, given_photo, named_photos, store_photo
from cnnvis.views.html import picture_url


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mein Föto 猫.png"
    Image.linear_gradient("L").save(path)
    return path


def test_an_example_is_recognised_by_its_content(tmp_path: Path) -> None:
    copy = tmp_path / "renamed.jpg"
    copy.write_bytes(EXAMPLES["coffee.jpg"].path.read_bytes())
    assert store_photo(str(copy)) is EXAMPLES["coffee.jpg"] is find_photo(EXAMPLES["coffee.jpg"].digest)


def test_every_example_is_credited_as_in_the_credits_file() -> None:
    credits = (EXAMPLES["coffee.jpg"].path.parent / "CREDITS.md").read_text(encoding="utf-8")
    for name, photo in EXAMPLES.items():
        (row,) = (line for line in credits.splitlines() if line.startswith(f"| `{name}`"))
        author, licence = photo.credit.rsplit(", ", 1)
        assert author.split()[0] in row and licence in row


def test_a_stray_folder_on_the_bundled_shelf_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = tmp_path / "shelf" / "photos"
    (photos / "@eaDir").mkdir(parents=True)
    (photos / ".DS_Store").touch()
    for name in ("one.webp", "two.webp"):
        Image.linear_gradient("L").save(photos / name)
    (photos / "folder.webp").mkdir()
    listed = [{"file": name} for name in ("folder.webp", "gone.webp", "one.webp", "two.webp")]
    (photos.parent / "photos.json").write_text(json.dumps(listed))
    (photos.parent / "shelf.json").write_text("{}")
    monkeypatch.setattr("cnnvis.ui.serving.photos.BUNDLED", photos.parent)
    assert named_photos.__wrapped__().keys() == {*EXAMPLES, "one.webp", "two.webp"}
    (photos.parent / "photos.json").write_text("[")
    assert named_photos.__wrapped__() == EXAMPLES


def test_an_uploaded_photo_is_found_again_by_its_digest(mine: Path) -> None:
    photo = store_photo(str(mine))
    assert photo.digest == hashlib.sha256(mine.read_bytes()).hexdigest()
    assert photo.path.read_bytes() == mine.read_bytes()
    mine.unlink()  # Gradio deletes the upload after two hours, used or not
    assert find_photo(photo.digest) == photo
    assert (photo.name, photo.credit) == ("", "")


def test_without_a_digest_there_is_no_photo() -> None:
    assert find_photo("") is find_photo(None) is None


def test_a_deleted_photo_gives_a_clear_error_message(mine: Path) -> None:
    photo = store_photo(str(mine))
    sweep(seconds=-1)
    with pytest.raises(PhotoError, match=r"no longer on the server.*choose it again"):
        find_photo(photo.digest)


@pytest.mark.parametrize("digest", ["../../etc/passwd", "x", "0" * 63, "g" * 64, "/etc/passwd", "0" * 64 + "/.."])
def test_only_a_digest_leads_to_a_file(digest: str) -> None:
    with pytest.raises(PhotoError):
        find_photo(digest)


# The value of an image input


def test_an_image_input_can_be_a_path_a_data_url_or_nothing() -> None:
    assert given_photo(None) is None
    path = content_path("0" * 64, "x.png")
    assert given_photo({"path": str(path), "url": "http://x"}) == str(path)
    content = encode(Image.new("RGB", (2, 2), "red"))
    given = given_photo({"path": None, "url": picture_url(content, "png")})
    assert isinstance(given, io.BytesIO) and given.getvalue() == content


COFFEE = str(EXAMPLES["coffee.jpg"].path)  # a picture, but one of the server's own files


@pytest.mark.parametrize("image", [
    {}, {"path": None}, {"path": "", "url": "data:image/png;base64,!!"}, {"path": COFFEE},
    {"path": f"{COFFEE}/../coffee.jpg", "url": "data:image/png;base64,AAAA"}, {"url": f"file://{COFFEE}"},
])  # fmt: skip
def test_any_other_image_input_is_refused(image: dict[str, str | None]) -> None:
    with pytest.raises(PhotoError, match="image cannot be read: give an uploaded file"):
        given_photo(image)


def test_a_symlink_that_leaves_the_upload_folder_is_refused() -> None:
    link = content_path("0" * 64, "x.jpg")
    link.parent.mkdir(parents=True)
    link.symlink_to(COFFEE)
    with pytest.raises(PhotoError):
        given_photo({"path": str(link)})
