"""The page as a Space on ZeroGPU, in a process of its own: prints as JSON what visitors got. test_gpu.py runs it.

`spaces` is Hugging Face's real package, whose scheduler here is a small HTTP server. No GPU is needed: the two calls
that wake one in the GPU's process do nothing, so that process computes on its CPU.
"""

import hashlib
import json
import multiprocessing
import os
import re
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

CHOICE = {"layer": "conv1_1", "channel": 3}
calls: list[tuple[str, dict[str, str]]] = []  # of the scheduler, with their parameters
left = 120  # seconds of the visitor's quota


class Scheduler(BaseHTTPRequestHandler):
    """Grants a GPU for as many seconds as the visitor has left; the answers are those that spaces/zero/api.py reads."""

    def do_POST(self) -> None:
        url = urlsplit(self.path)
        asked = dict(parse_qsl(url.query))
        calls.append((url.path, asked))
        status, answer = 200, {}
        if url.path == "/schedule" and int(asked["durationSeconds"]) > left:
            status, answer = 429, {"left": left, "wait": 3600}
        elif url.path == "/schedule":
            answer = {"idle": False, "nvidiaIndex": 0, "nvidiaUUID": "GPU-0", "allowToken": "token"}
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None: ...


def scheduled() -> list[int]:
    """The seconds that were reserved since the last time; forgets the calls."""
    seconds = [int(asked["durationSeconds"]) for path, asked in calls if path == "/schedule"]
    calls.clear()
    return seconds


def message(function: Callable[..., Any], *arguments: Any, **named: Any) -> str:
    """What the visitor reads when a call is refused."""
    try:
        function(*arguments, **named)
    except Exception as error:
        return f"{error} {getattr(error, 'message', '')}"
    return "not refused"


def pixels(picture: Any) -> str:
    return hashlib.sha256(picture.tobytes()).hexdigest()


def take_gpu_away() -> None:
    """What ZeroGPU does to a task that takes too long."""
    for process in multiprocessing.active_children():
        process.kill()


def on_the_tab(seconds: int = 0, size: int = 64, kill: bool = False) -> dict[str, Any]:
    """An ascent of the page's tab: what its stage showed, and the last picture."""
    from cnnvis.ui.tabs.maximize.growing import _score
    from cnnvis.ui.tabs.maximize.tab import _grow

    shown: list[dict[str, Any]] = []
    values = [0, 12 + 188 * kill, size, seconds, "channel"]
    for stage, newest in _grow(None, CHOICE, "", None, None, "", "fourier", "", "", False, *values):
        shown.append(json.loads(stage))
        run = newest
        if kill and len(shown) == 2:
            take_gpu_away()
    *_, (end, _, _) = _score(run)
    ended = json.loads(end)
    return {
        "ascents": len({value["ascent"] for value in shown}),
        "steps": [value["frame"]["step"] for value in shown],
        "notes": sorted({value["note"] for value in shown}),
        "end": ended["note"],
        "kept": [moment["step"] for moment in ended["frames"]],
        "device": run.snapshots[0].build["device"],
        "pixels": pixels(run.snapshots[0].picture),
    }


def captions(rungs: str) -> list[str]:
    """What stands below the ladder's pictures."""
    return re.findall("<figcaption>(.*?)</figcaption>", rungs)


def ladder_taken() -> list[str]:
    """The newest rung at each of the ladder's first moments, when its GPU is taken away after the first one."""
    from cnnvis.ui.tabs.maximize.tab import _run_ladder

    newest: list[str] = []
    for rungs in _run_ladder(CHOICE, 1):
        newest.append(captions(rungs)[-1].partition(":")[0])
        if len(newest) == 1:
            take_gpu_away()
        if len(newest) == 4:
            return newest
    return newest


def expected(steps: int) -> str:
    """The pixels of the same picture grown on the CPU, without page or ZeroGPU."""
    import cnnvis

    net = cnnvis.load_vgg16("cpu")
    *_, last = cnnvis.maximize(net, "conv1_1", 3, "fourier", size=64, seed=0, steps=steps)
    return pixels(last.picture)


def facts(url: str) -> dict[str, Any]:
    """Everything that the tests want to know; runs in a thread, as Gradio runs handlers."""
    global left
    from gradio_client import Client

    from cnnvis.network.architecture import ARCHITECTURE
    from cnnvis.ui.page import _network
    from cnnvis.ui.serving import gpu
    from cnnvis.ui.tabs.maximize.tab import _run_ladder

    program = Client(url, verbose=False, download_files=False)
    api: dict[str, Any] = {"layer": "conv1_1", "channel": 3, "size": 64, "api_name": "/maximize"}
    made: dict[str, Any] = {"about": list(_network())[-1], "at start": [path for path, _ in calls]}
    calls.clear()
    program.predict(layer="conv1_1", view="auto", input_channel=0, api_name="/filters")
    made["reserved for a sheet"] = scheduled()

    made["granted"] = program.predict(steps=12, **api)[1]
    made["workers"] = [path for path, _ in calls]
    made["borrower"] = [int(asked["pid"]) for path, asked in calls if path == "/allow"]
    made["pid"] = os.getpid()
    made["reserved"] = scheduled()
    made["refusals"] = [
        message(program.predict, **{**api, "size": 9999}),
        message(program.predict, **api, recipe="deepdream"),
        message(program.predict, **{**api, "layer": "class"}),
        message(program.predict, **api, image={"path": __file__, "meta": {"_type": "gradio.FileData"}}),
    ]
    made["reserved for refusals"] = scheduled()
    made["taken"] = on_the_tab(kill=True)
    made["ladder taken"] = ladder_taken()
    made["expected"] = {"12": expected(12), "200": expected(200)}
    scheduled()

    left = 2
    made["gone"] = program.predict(steps=12, **api)[1]
    made["gone on the tab"] = on_the_tab()
    made["too large"] = message(on_the_tab, size=512)
    *_, rungs = _run_ladder(CHOICE, 1)
    made["ladder"] = captions(rungs)
    made["reserved in vain"] = scheduled()
    *_, (snapshot,) = gpu.grow([ARCHITECTURE.target("conv1_1", 3)], "fourier", None, {"steps": 1, "size": 64})
    on_a_gpu = replace(snapshot, build={**snapshot.build, "device": "NVIDIA RTX PRO 6000"})
    made["missing"] = [gpu.missing_gpu(snapshot), gpu.missing_gpu(on_a_gpu)]
    return made


def main() -> None:
    scheduler = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Scheduler)
    threading.Thread(target=scheduler.serve_forever, daemon=True).start()
    from cnnvis.ui import build_page
    from cnnvis.ui.page import launch_options

    page = build_page()
    import spaces.zero.torch as hardware

    hardware.init = hardware.move = lambda *_, **__: None
    _, url, _ = page.launch(**launch_options(), prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
    with ThreadPoolExecutor(1) as thread:
        print("\n" + json.dumps(thread.submit(facts, url).result()))


if __name__ == "__main__":
    main()
