"""The package that pip installs is complete, small enough, and works far from any checkout.

It is built as anybody's pip would build it. Torch and the other dependencies are borrowed from this environment.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import sysconfig
import time
import tomllib
import venv
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from helpers import ROOT
from packaging.licenses import canonicalize_license_expression
from packaging.utils import parse_wheel_filename
from packaging.version import Version
from PIL import Image

import cnnvis
from cnnvis.ui.serving.photos import EXAMPLES

MAX_BYTES = 95_000_000  # PyPI accepts 100 MB


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The sdist and the wheel built from it."""
    folder = tmp_path_factory.mktemp("dist")
    _run([sys.executable, "-m", "build", "--outdir", folder, ROOT], folder)
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return sdist, wheel


@pytest.fixture(scope="module")
def elsewhere(built: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an environment, `env`, in which the wheel is installed."""
    folder = tmp_path_factory.mktemp("elsewhere")
    venv.create(folder / "env")
    python = folder / "env" / "bin" / "python"
    _run([sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", built[1]], folder)
    (packages,) = folder.glob("env/lib/python*/site-packages")
    borrowed = [path for path in sys.path if Path(path).name == "site-packages"] or [sysconfig.get_path("purelib")]
    (packages / "borrowed.pth").write_text("\n".join(borrowed), encoding="utf-8")
    return folder


def _environment(folder: Path) -> dict[str, str]:
    """An environment without our settings and without the Hub."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CNNVIS_", "GRADIO_", "HF_"))}
    kept.pop("PYTHONPATH", None)
    mine = {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HOME": str(folder / "hub"), "HF_HUB_OFFLINE": "1"}
    return {**kept, **mine, "GRADIO_TEMP_DIR": str(folder / "gradio")}


def _run(command: list[Any], folder: Path) -> str:
    pipes: dict[str, Any] = {"capture_output": True, "text": True, "timeout": 400}
    done = subprocess.run([str(word) for word in command], cwd=folder, env=_environment(folder), **pipes)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# What the package says about itself


def test_the_licence_covers_the_code_the_weights_and_every_photo() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert canonicalize_license_expression(project["license"]) == " ".join(project["license"].split())
    photos = json.loads((ROOT / "cnnvis" / "assets" / "shelf" / "photos.json").read_text(encoding="utf-8"))
    licences = {photo["licence"].replace("public domain", "LicenseRef-Public-Domain") for photo in photos}
    assert set(project["license"].split(" AND ")) == {"MIT", "BSD-3-Clause", "CC0-1.0"} | licences
    assert all((ROOT / file).is_file() for file in project["license-files"])


def test_the_changelog_and_the_citation_name_this_version() -> None:
    assert f"\n## {cnnvis.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"\nversion: {cnnvis.__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


# Built and installed


@pytest.mark.slow
def test_the_wheel_is_complete_and_clean(built: tuple[Path, Path], elsewhere: Path) -> None:
    sdist, wheel = built
    assert max(sdist.stat().st_size, wheel.stat().st_size) < MAX_BYTES
    assert parse_wheel_filename(wheel.name)[:2] == ("cnnvis", Version(cnnvis.__version__))
    _run([sys.executable, "-m", "check_wheel_contents", wheel], elsewhere)
    (packed,) = elsewhere.glob("env/lib/python*/site-packages/cnnvis")
    ours = {path.relative_to(ROOT / "cnnvis") for path in (ROOT / "cnnvis").rglob("*.*")}
    ours = {path for path in ours if "__pycache__" not in path.parts and path.name != "LICENSE-vgg16.txt"}
    ours |= {Path("examples", name) for name in EXAMPLES}
    assert {path.relative_to(packed) for path in packed.rglob("*.*") if "__pycache__" not in path.parts} == ours


@pytest.mark.slow
def test_the_installed_command_finds_its_weights_and_grows_a_picture(elsewhere: Path) -> None:
    command = elsewhere / "env" / "bin" / "cnnvis"
    assert "bundled vgg16_features.safetensors" in _run([command, "info"], elsewhere)
    _run([command, "maximize", "conv1_1", "0", "--steps", "4", "-o", "grown.png"], elsewhere)
    with Image.open(elsewhere / "grown.png") as grown:
        assert json.loads(grown.text["cnnvis"])["step"] == 4  # type: ignore[attr-defined]
    _run([command, "shelf", "show", "conv5_3", "17", "-o", "shelf.png"], elsewhere)
    _run([command, "atlas", "show", "conv1_1", "-o", "atlas.png"], elsewhere)
    imported = _run([elsewhere / "env" / "bin" / "python", "-c", "import cnnvis; print(cnnvis.__file__)"], elsewhere)
    assert Path(imported.strip()).is_relative_to(elsewhere)
    assert _run([command, "--help"], elsewhere).startswith("usage: cnnvis ")


@pytest.mark.slow
def test_the_installed_page_answers_and_has_its_photos(elsewhere: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = {"GRADIO_SERVER_PORT": str(free.getsockname()[1])}
    url = f"http://127.0.0.1:{port['GRADIO_SERVER_PORT']}"
    command, env = [elsewhere / "env" / "bin" / "cnnvis", "page"], _environment(elsewhere)
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=elsewhere, env=env | port, **pipes) as page, ExitStack() as end:
        end.callback(page.kill)
        for _ in range(240):
            try:
                health = httpx.get(f"{url}/healthz")
                break
            except httpx.TransportError:
                assert page.poll() is None, page.communicate()
                time.sleep(0.5)
        assert health.status_code == 200
        config = httpx.get(f"{url}/config").text
        assert config.count("example photo: ") == 2 * len(EXAMPLES)  # of each a title and a label
        page.send_signal(signal.SIGTERM)
        _, err = page.communicate(timeout=30)
        assert (page.returncode, err) == (0, "")
