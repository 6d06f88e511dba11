"""Deployment: the page starts from the files that a Space or a container gets, and CI tests their versions."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers import ROOT
from packaging.requirements import Requirement
from packaging.version import Version

from cnnvis.cli.parser import build_parser
from cnnvis.network.weights import HUB_FILE, HUB_REPO, HUB_REVISION

WORKFLOWS = ROOT / ".github" / "workflows"

# Build the page, load the weights as a fresh machine would, and print where everything came from.
START = """
import importlib, json, sys
import cnnvis
page = importlib.import_module(sys.argv[1])
net = cnnvis.load_vgg16("cpu")
print(json.dumps({"functions": len(page.demo.fns), "files": [page.__file__, cnnvis.__file__, str(net.origin.path)]}))
"""


@pytest.fixture(scope="module")
def head() -> dict[str, Any]:
    """The YAML at the top of the README, which configures the Space."""
    _, yaml_text, _ = (ROOT / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(yaml_text)


@pytest.fixture(scope="module")
def ci_rows() -> list[dict[str, str]]:
    """The combinations of versions that CI runs."""
    return workflow("ci.yml")["jobs"]["check"]["strategy"]["matrix"]["include"]


def workflow(file: str) -> dict[Any, Any]:
    return yaml.safe_load((WORKFLOWS / file).read_text(encoding="utf-8"))


def removed_for_the_space() -> list[str]:
    """What the workflow removes with `rm -rf` before it mirrors the rest to the Space."""
    steps = workflow("deploy.yml")["jobs"]["space"]["steps"]
    commands = [shlex.split(step["run"]) for step in steps if "run" in step]
    return [name for command in commands if command[:2] == ["rm", "-rf"] for name in command[2:]]


def docker_lines(instruction: str) -> list[str]:
    """The arguments of every `instruction` in the Dockerfile."""
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    return [line.split(maxsplit=1)[1] for line in lines if line.startswith(f"{instruction} ")]


def requirement(file: str, name: str) -> Requirement:
    """What a requirements file requires of the package `name`."""
    lines = [line.partition("#")[0].strip() for line in (ROOT / file).read_text(encoding="utf-8").splitlines()]
    required = (Requirement(line) for line in lines if line and not line.startswith("-"))
    return next(wanted for wanted in required if wanted.name == name)


def start_page(folder: Path, entry: str, home: Path) -> None:
    """Build the page in a new process that finds cnnvis, the page and the weights in `folder` or nowhere."""
    env = {key: value for key, value in os.environ.items() if not key.startswith(("CNNVIS_", "GRADIO_", "HF_"))}
    env.pop("PYTHONPATH", None)
    env |= {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_TEMP_DIR": str(home / "gradio")}
    env |= {"HF_HOME": str(home / "hub"), "HF_HUB_OFFLINE": "1"}  # so the weights can only be the bundled ones
    command = [sys.executable, "-c", START, Path(entry).stem]
    run = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    started = json.loads(run.stdout.splitlines()[-1])
    assert started["functions"] > 0
    for file in started["files"]:
        assert Path(file).resolve().is_relative_to(folder.resolve()), f"{file} does not belong to the copy"


# Files


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="only a git checkout knows which files are pushed")
@pytest.mark.slow
def test_the_page_starts_from_the_files_of_the_space(head: dict[str, Any], tmp_path: Path) -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    removed = removed_for_the_space()
    for name in filter(None, listed.split("\0")):
        withheld = any(Path(name).is_relative_to(gone) for gone in removed)
        if not withheld and (ROOT / name).exists():  # git lists a deleted file until the deletion is staged
            copy = tmp_path / "space" / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, copy)
    start_page(tmp_path / "space", head["app_file"], home=tmp_path / "home")


@pytest.mark.slow
def test_the_page_starts_from_the_files_of_the_container(tmp_path: Path) -> None:
    lines = [line.strip() for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()]
    patterns = [line.strip("/") for line in lines if line and not line.startswith("#")]
    assert not [pattern for pattern in patterns if pattern.startswith("!")], "this test does not handle exceptions"
    ignored = {path for pattern in patterns for path in ROOT.glob(pattern)}  # from the root only, as Docker does

    def among(folder: str, names: list[str]) -> set[str]:
        return {name for name in names if Path(folder, name) in ignored}

    container = tmp_path / "container"
    container.mkdir()
    for line in docker_lines("COPY"):
        *sources, target = [word for word in shlex.split(line) if not word.startswith("--")]
        for source in (ROOT / name for name in sources):
            assert source not in ignored, f"Docker finds no {source.name}"
            if source.is_dir():
                shutil.copytree(source, container / target, ignore=among, dirs_exist_ok=True)
            else:
                shutil.copy(source, container / target)
    python, entry = json.loads(docker_lines("CMD")[-1])
    assert python == "python"
    start_page(container, entry, home=tmp_path / "home")


def test_everything_withheld_from_the_space_exists() -> None:
    # `rm -rf` ignores a name that no longer exists, so a renamed folder would be published.
    assert removed_for_the_space() and all((ROOT / name).exists() for name in removed_for_the_space())


def test_the_space_preloads_the_weights_that_the_code_looks_for(head: dict[str, Any]) -> None:
    assert HUB_REPO in head["models"]
    assert head["preload_from_hub"] == [f"{HUB_REPO} {HUB_FILE} {HUB_REVISION}"]


# Versions


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-mcp.txt"])
def test_the_space_runs_the_tested_version_of_gradio(head: dict[str, Any], file: str) -> None:
    assert str(requirement(file, "gradio").specifier) == f"=={head['sdk_version']}"


def test_ci_runs_the_oldest_torch_allowed(ci_rows: list[dict[str, str]]) -> None:
    names = ("torch", "torchvision")
    limits = [(name, limit) for name in names for limit in requirement("requirements.txt", name).specifier]
    oldest = {name: Version(limit.version) for name, limit in limits if limit.operator == ">="}
    assert oldest.keys() == set(names)
    assert oldest in [{name: Version(row[name]) for name in names} for row in ci_rows if row["torch"]]


def test_ci_runs_the_python_versions_of_the_space_and_the_container(
    head: dict[str, Any], ci_rows: list[dict[str, str]]
) -> None:
    images = [re.fullmatch(r"python:(\d+\.\d+)\b.*", image) for image in docker_lines("FROM")]
    deployed = {head["python_version"], *(image and image[1] for image in images)}
    assert deployed <= {row["python"] for row in ci_rows}


# The Hub and GitHub


def test_the_hub_accepts_the_fields_of_the_readme(head: dict[str, Any]) -> None:
    colours = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
    assert {head["colorFrom"], head["colorTo"]} <= colours
    assert head["suggested_hardware"] in {"cpu-basic", "cpu-upgrade", "t4-small", "zero-a10g"}
    assert len(head["short_description"]) <= 60


def test_the_deployment_waits_for_a_workflow_that_exists() -> None:
    awaited = workflow("deploy.yml")[True]["workflow_run"]["workflows"]  # YAML 1.1 reads the key `on` as true
    assert awaited and set(awaited) <= {workflow(path.name)["name"] for path in WORKFLOWS.glob("*.yml")}


def test_the_site_is_built_by_a_command_that_exists() -> None:
    steps = workflow("pages.yml")["jobs"]["site"]["steps"]
    (command,) = (shlex.split(step["run"]) for step in steps if "cnnvis site" in step.get("run", ""))
    options = build_parser().parse_args(command[command.index("cnnvis") + 1 :])
    (published,) = (step["with"]["path"] for step in steps if "upload-pages" in step.get("uses", ""))
    assert str(options.output) == published


def test_one_command_sets_the_repositorys_address(tmp_path: Path) -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    text = {name: (ROOT / name).read_bytes() for name in tracked if (ROOT / name).is_file()}
    naming = [name for name, content in text.items() if b"github.example" in content and "test" not in name]
    for name in ("docs/deploy.md", *naming):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(text[name])
    command = next(line for line in text["docs/deploy.md"].decode().splitlines() if "sed -i" in line)
    subprocess.run(["bash", "-c", command], cwd=tmp_path, check=True)
    left = {name for name in naming if b"github.example" in (tmp_path / name).read_bytes()}
    assert left == {"docs/deploy.md"}  # the command itself
    assert "docs/deploy.md" in (ROOT / "examples" / "tour.ipynb").read_text(encoding="utf-8")
