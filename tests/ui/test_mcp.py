"""The tools for language-model clients, called over MCP's streamable HTTP.

Gradio's extra `mcp` needs an older pydantic than Gradio alone, so it gets a separate environment.
"""

import json
import os
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.request
from importlib.metadata import requires
from pathlib import Path
from typing import Any

import pytest
from helpers import ROOT

CLIENT = """
import asyncio, json, sys
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client

async def main():
    async with streamablehttp_client(sys.argv[1]) as (read, write, _), ClientSession(read, write) as session:
        await session.initialize()
        tools = (await session.list_tools()).tools
        said = {"tools": {tool.name: [tool.description, tool.inputSchema] for tool in tools}}
        for name, asked in json.loads(sys.argv[2]).items():
            answer = await session.call_tool(name, asked)
            said[name] = [answer.isError, [[part.type, getattr(part, "text", "")] for part in answer.content]]
        print(json.dumps(said))

asyncio.run(main())
"""
ASKED = {
    "filters": {"layer": "conv2_1", "view": "signed", "input_channel": 3},
    "maximize": {"layer": "conv1_1", "channel": 3, "steps": 2, "size": 64},
    "layers": {},
    "quiz": {"seed": 7, "questions": 2},
}


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that has the extra and borrows all other packages from this environment."""
    folder = tmp_path_factory.mktemp("mcp") / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    extra = [line.split(";")[0] for line in requires("gradio") or [] if 'extra == "mcp"' in line.replace("'", '"')]
    installed = subprocess.run([folder / "bin" / "pip", "install", "-q", *extra], capture_output=True, text=True)
    if installed.returncode:
        pytest.skip(f"the extra cannot be installed here: {installed.stderr[-200:]}")
    site = next(folder.glob("lib/python*/site-packages"))
    (site / "borrowed.pth").write_text(sysconfig.get_paths()["purelib"])  # searched after its own packages
    return folder / "bin" / "python"


@pytest.fixture(scope="module")
def said(python: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A client's answers from a page that was started with GRADIO_MCP_SERVER=True."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {"GRADIO_MCP_SERVER": "True", "GRADIO_SERVER_PORT": str(port), "PYTHONPATH": str(ROOT)}
    environment = {**os.environ, **settings, "GRADIO_TEMP_DIR": str(tmp_path_factory.mktemp("gradio"))}
    log = tmp_path_factory.mktemp("log") / "log.txt"
    with log.open("w") as output:
        server = subprocess.Popen([python, "app.py"], cwd=ROOT, env=environment, stdout=output, stderr=output)
        try:
            for _ in range(240):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}", timeout=1).close()
                    break
                except OSError:
                    assert server.poll() is None, log.read_text()
                    time.sleep(0.5)
            command = [python, "-c", CLIENT, f"http://127.0.0.1:{port}/gradio_api/mcp/", json.dumps(ASKED)]
            heard = subprocess.run(command, capture_output=True, text=True, timeout=120)
        finally:
            server.terminate()
            server.wait(20)
    assert heard.returncode == 0, heard.stderr + log.read_text()
    answers: dict[str, Any] = json.loads(heard.stdout)
    return answers


@pytest.mark.slow
def test_every_endpoint_is_a_tool_with_a_description(said: dict[str, Any]) -> None:
    picture_tools = {"filters", "feature_maps", "feature_map", "exemplars", "atlas", "maximize"}
    assert set(said["tools"]) == picture_tools | {"layers", "wiring", "why", "quiz", "quiz_answers"}
    for name, (description, schema) in said["tools"].items():
        assert len(description) > 30, name
        assert schema["type"] == "object"
    assert {"layer", "channel", "recipe", "steps"} <= said["tools"]["maximize"][1]["properties"].keys()


@pytest.mark.slow
def test_the_quiz_can_be_taken(said: dict[str, Any]) -> None:
    failed, parts = said["quiz"]
    assert not failed
    text = " ".join(text for _, text in parts)
    assert text.count("http://127.0.0.1") == 6 and "answer" not in text  # a picture and two patches, twice


@pytest.mark.slow
@pytest.mark.parametrize("name", ["filters", "maximize"])
def test_a_tool_returns_a_picture_and_its_record(said: dict[str, Any], name: str) -> None:
    failed, parts = said[name]
    assert not failed
    text = " ".join(text for _, text in parts)
    assert ".png" in text or any(kind == "image" for kind, _ in parts)
    assert ASKED[name]["layer"] in text
    if name == "maximize":
        assert "robust" in text


@pytest.mark.slow
def test_the_layers_tool_lists_the_layers(said: dict[str, Any]) -> None:
    failed, parts = said["layers"]
    assert not failed and "conv5_3" in " ".join(text for _, text in parts)
