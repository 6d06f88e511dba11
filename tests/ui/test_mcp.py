"""The tools for language-model clients, called over MCP's streamable HTTP.

Gradio's extra `mcp` needs an older pydantic than Gradio alone, so it gets an environment of its own.
"""

import base64
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
from helpers import EXAMPLES, ROOT

CLIENT = """
import asyncio, json, sys
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client

async def main():
    async with streamablehttp_client(sys.argv[1]) as (read, write, _), ClientSession(read, write) as session:
        await session.initialize()
        tools = (await session.list_tools()).tools
        results = {"tools": {tool.name: [tool.description, tool.inputSchema] for tool in tools}}
        for name, arguments in json.loads(sys.argv[2]).items():
            result = await session.call_tool(name, arguments)
            results[name] = [result.isError, [[part.type, getattr(part, "text", "")] for part in result.content]]
        print(json.dumps(results))

asyncio.run(main())
"""
PHOTO = "data:image/jpeg;base64," + base64.b64encode((EXAMPLES / "chelsea.jpg").read_bytes()).decode()
CALLS = {
    "filters": {"layer": "conv2_1", "view": "signed", "input_channel": 3},
    "maximize": {"layer": "conv1_1", "direction": '{"3": 1, "5": 0.5}', "steps": 2, "size": 64},
    "dictionary": {"layer": "conv5_1", "image": PHOTO},
    "groups": {"layer": "conv5_1", "image": PHOTO, "count": 2},
    "layers": {},
    "quiz": {"seed": 7, "questions": 2},
}


def python_with_mcp(folder: Path) -> Path:
    """A Python that has the extra and borrows all other packages from this environment."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    extra = [line.split(";")[0] for line in requires("gradio") or [] if 'extra == "mcp"' in line.replace("'", '"')]
    installed = subprocess.run([folder / "bin" / "pip", "install", "-q", *extra], capture_output=True, text=True)
    if installed.returncode:
        pytest.skip(f"the extra cannot be installed here: {installed.stderr[-200:]}")
    site = next(folder.glob("lib/python*/site-packages"))
    (site / "borrowed.pth").write_text(
        sysconfig.get_paths()["purelib"], encoding="utf-8"
    )  # searched after its own packages
    return folder / "bin" / "python"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a client receives from a page that was started with GRADIO_MCP_SERVER=True."""
    folder = tmp_path_factory.mktemp("mcp")
    python, log = python_with_mcp(folder / "venv"), folder / "log.txt"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {"GRADIO_MCP_SERVER": "True", "GRADIO_SERVER_PORT": str(port), "PYTHONPATH": str(ROOT)}
    environment = {**os.environ, **settings, "GRADIO_TEMP_DIR": str(folder / "gradio")}
    with log.open("w") as output:
        server = subprocess.Popen([python, "app.py"], cwd=ROOT, env=environment, stdout=output, stderr=output)
        try:
            for _ in range(240):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}", timeout=1).close()
                    break
                except OSError:
                    assert server.poll() is None, log.read_text(encoding="utf-8")
                    time.sleep(0.5)
            command = [python, "-c", CLIENT, f"http://127.0.0.1:{port}/gradio_api/mcp/", json.dumps(CALLS)]
            client = subprocess.run(command, capture_output=True, text=True, timeout=120)
        finally:
            server.terminate()
            server.wait(20)
    assert client.returncode == 0, client.stderr + log.read_text(encoding="utf-8")
    received: dict[str, Any] = json.loads(client.stdout)
    return received


@pytest.mark.slow
def test_every_endpoint_is_a_tool_with_a_description(results: dict[str, Any]) -> None:
    picture_tools = {"filters", "feature_maps", "feature_map", "exemplars", "atlas", "groups", "mosaic", "concepts"}
    telling = {"layers", "wiring", "why", "dictionary", "quiz", "quiz_answers"}
    assert set(results["tools"]) == picture_tools | telling | {"maximize"}
    for name, (description, schema) in results["tools"].items():
        assert len(description) > 30, name
        assert schema["type"] == "object"
    assert {"layer", "channel", "recipe", "steps", "direction"} <= results["tools"]["maximize"][1]["properties"].keys()


@pytest.mark.slow
@pytest.mark.parametrize("name", CALLS)
def test_a_tool_returns_its_pictures_and_its_record(results: dict[str, Any], name: str) -> None:
    failed, parts = results[name]
    assert not failed
    text = " ".join(text for _, text in parts)
    if name == "quiz":
        assert text.count("http://127.0.0.1") == 6 and "answer" not in text  # a picture and two patches, twice
    elif name == "layers":
        assert "conv5_3" in text
    elif name == "dictionary":
        assert "conv5_1" in text and "295" in text and "above" in text
    else:
        assert ".png" in text or ".jp" in text or any(kind == "image" for kind, _ in parts)
        assert CALLS[name]["layer"] in text and ("robust" in text) == (name == "maximize")
