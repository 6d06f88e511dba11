"""What a Space, a container and the workflows are told, against what is true."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from cnnvis.weights import HUB_FILE, HUB_REPO, HUB_REVISION

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def head() -> dict[str, Any]:
    _, yaml_text, _ = (ROOT / "README.md").read_text().split("---\n", 2)
    return yaml.safe_load(yaml_text)


def pinned(name: str) -> str:
    line = next(line for line in (ROOT / "requirements.txt").read_text().splitlines() if re.match(rf"{name}\b", line))
    return line.removeprefix(name)


def test_the_space_gets_the_gradio_that_is_tested(head: dict[str, Any]) -> None:
    assert pinned("gradio") == f"=={head['sdk_version']}"
    mcp = (ROOT / "requirements-mcp.txt").read_text()
    assert f"gradio[mcp]=={head['sdk_version']}" in mcp


def test_the_files_it_names_exist(head: dict[str, Any]) -> None:
    assert (ROOT / head["app_file"]).is_file()
    assert head["license"] == "mit" and "MIT License" in (ROOT / "LICENSE").read_text()


def test_the_weights_it_preloads_are_those_of_the_code(head: dict[str, Any]) -> None:
    assert head["models"] == [HUB_REPO]
    assert head["preload_from_hub"] == [f"{HUB_REPO} {HUB_FILE} {HUB_REVISION}"]


def test_its_fields_are_the_hubs(head: dict[str, Any]) -> None:
    colours = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
    assert {head["colorFrom"], head["colorTo"]} <= colours
    assert head["sdk"] == "gradio"
    assert head["suggested_hardware"] in {"cpu-basic", "cpu-upgrade", "t4-small", "zero-a10g"}
    assert len(head["short_description"]) <= 60
    known = "title emoji colorFrom colorTo sdk sdk_version python_version app_file license short_description models"
    assert head.keys() <= {*known.split(), "preload_from_hub", "suggested_hardware", "startup_duration_timeout", "tags"}


def test_the_pythons_are_the_same_everywhere(head: dict[str, Any]) -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    rows = workflow["jobs"]["check"]["strategy"]["matrix"]["include"]
    assert {row["python"] for row in rows} == {"3.11", "3.12", "3.13"}
    assert head["python_version"] == "3.12"  # ZeroGPU has no other of ours
    assert (ROOT / "Dockerfile").read_text().count("python:3.12-slim") == 1
    oldest = re.search(r">=([\d.]+)", pinned("torch"))
    assert oldest and oldest[1] in {row["torch"].removesuffix(".0") for row in rows if row["torch"]}


def test_the_container_copies_everything_the_page_needs() -> None:
    text = (ROOT / "Dockerfile").read_text()
    for part in ("app.py", "cnnvis", "examples", "requirements.txt"):
        assert re.search(rf"COPY .*\b{re.escape(part)}", text), part
    assert "USER cnnvis" in text and "HEALTHCHECK" in text
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert not {"cnnvis", "examples", "app.py"} & set(ignored)


def test_the_deployment_waits_for_ci_and_mirrors_to_a_space() -> None:
    text = (ROOT / ".github/workflows/deploy.yml").read_text()
    deploy = yaml.safe_load(text)
    assert deploy[True]["workflow_run"]["workflows"] == [  # YAML 1.1 reads `on` as true
        yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["name"]
    ]
    sync = deploy["jobs"]["space"]["steps"][-1]
    assert sync["uses"].startswith("huggingface/hub-sync@")
    assert {"github_repo_id", "huggingface_repo_id", "hf_token"} <= sync["with"].keys()
    removed = deploy["jobs"]["space"]["steps"][1]["run"].split()[2:]
    needed = {"app.py", "cnnvis", "examples", "requirements.txt", "README.md"}
    assert not needed & set(removed) and all((ROOT / name).exists() for name in removed)
