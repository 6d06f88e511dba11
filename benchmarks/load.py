"""Send a crowd to a page on this machine, and see whom it serves, how fast, and at what cost in memory.

    python -m benchmarks.load [--users 100] [--seconds 180] [--then 1800] [--checkout FOLDER]
        [--json FILE] [--name NAME]

Each user opens the page and uploads a photo (half of them an example, the others one of their own). Then they ask for
something, wait for it, download its picture, and think for 5 to 15 s: 40 % filter sheets, 40 % feature maps, 20 %
ascents of 12 steps at 128 px, at random layers. They use the browser's own protocol. `--then` continues at a tenth of
the load. The page runs in its own process at 127.0.0.1; the crowd shares its cores.
"""

import asyncio
import io
import json
import random
import secrets
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
from PIL import Image

from benchmarks.report import machine, parser_of, read, write
from benchmarks.serving import ROOT, Served, running
from cnnvis.network.architecture import CONVOLUTIONS, find_layer
from cnnvis.network.weights import load_vgg16

THINK = 5, 15  # s
WEIGHTS = {"filters": 40, "feature_maps": 40, "maximize": 20}
SETTLED = 60  # s, after which memory should stop growing
EXAMPLES = sorted((ROOT / "examples").glob("*.jpg"))
TIMEOUT = httpx.Timeout(300)


@dataclass
class Action:
    """One request by one user, and what became of it. Times are in seconds."""

    kind: str
    asked: float  # since the load began
    known: float | None = None  # until the server's first message: a position in line, or its turn
    started: float | None = None  # since the load began: when its turn came
    answered: float = 0  # until the picture arrived
    outcome: str = "lost"  # "served", "full room", or the text of an error


class User:
    """One visitor with their own session."""

    def __init__(self, number: int, page: "Page", http: httpx.AsyncClient) -> None:
        self.random = random.Random(number)
        self.page, self.http = page, http
        self.session = secrets.token_hex(6)
        self.photo: dict[str, Any] = {}

    async def live(self, until: float) -> list[Action]:
        """Visit the page and act until the time is up."""
        await asyncio.sleep(self.random.uniform(0, THINK[1]))
        await self.http.get("/")
        self.photo = await self._upload()
        done = []
        while self.page.clock() < until:
            done.append(await self._act())
            await asyncio.sleep(self.random.uniform(*THINK))
        return done

    async def _upload(self) -> dict[str, Any]:
        example = self.random.choice(EXAMPLES)
        content = example.read_bytes()
        if self.random.random() < 0.5:  # their own photo
            with Image.open(example) as opened:
                left, top, file = self.random.randrange(20), self.random.randrange(20), io.BytesIO()
                opened.convert("RGB").crop((left, top, opened.width, opened.height)).save(file, "jpeg", quality=92)
            content = file.getvalue()
        answer = await self.http.post("/gradio_api/upload", files={"files": ("photo.jpg", content)})
        return {"path": answer.json()[0], "meta": {"_type": "gradio.FileData"}}

    def _ask(self, kind: str) -> list[Any]:
        layer = self.random.choice(CONVOLUTIONS)
        if kind == "filters":
            return [layer, "auto", 0]
        if kind == "feature_maps":
            return [self.photo, layer, "network", "index", "map"]
        channel = self.random.randrange(find_layer(layer).channels)
        return [layer, channel, "fourier", 12, 128, self.random.randrange(1000), 0, "channel", None]

    async def _act(self) -> Action:
        (kind,) = self.random.choices(list(WEIGHTS), list(WEIGHTS.values()))
        action = Action(kind, self.page.clock())
        try:
            await self._follow(action, self._ask(kind))
        except (httpx.HTTPError, ValueError, KeyError) as error:
            action.outcome = f"{type(error).__name__}: {error}"[:200]
        action.answered = self.page.clock() - action.asked
        return action

    async def _follow(self, action: Action, data: list[Any]) -> None:
        body = {"data": data, "fn_index": self.page.functions[action.kind], "session_hash": self.session}
        joined = await self.http.post("/gradio_api/queue/join", json=body)
        if joined.is_error:
            detail = str(joined.json()["detail"])
            action.outcome = "full room" if "The line for ascents is full" in detail else detail[:200]
            return
        async for message in self._messages():
            if action.known is None:
                action.known = self.page.clock() - action.asked
            if message["msg"] == "process_starts":
                action.started = self.page.clock()
            if message["msg"] == "process_completed":
                output = message["output"]
                action.outcome = "served" if message["success"] else str(output.get("error"))[:200]
                if message["success"]:
                    await self.http.get(f"/gradio_api/file={output['data'][0]['path']}")
                return

    async def _messages(self) -> AsyncIterator[dict[str, Any]]:
        async with self.http.stream("GET", "/gradio_api/queue/data", params={"session_hash": self.session}) as stream:
            async for line in stream.aiter_lines():
                if line.startswith("data:"):
                    yield json.loads(line.removeprefix("data:"))


class Page:
    """The page under load: its clock, its endpoints by number, and its memory, measured every second."""

    def __init__(self, served: Served) -> None:
        self.served, self.began = served, time.monotonic()
        configuration = httpx.get(f"{served.url}/config", timeout=TIMEOUT).json()
        self.functions = {event["api_name"]: event["id"] for event in configuration["dependencies"]}
        self.megabytes: list[float] = []

    def clock(self) -> float:
        """Seconds since the load began."""
        return time.monotonic() - self.began

    async def watch(self) -> None:
        """Measure the memory of the page's process and its children every second."""
        process = psutil.Process(self.served.pid)
        while True:
            family = [process, *process.children(recursive=True)]
            self.megabytes.append(sum(member.memory_info().rss for member in family) / 1e6)
            await asyncio.sleep(1)


async def crowd(page: Page, users: int, seconds: float) -> list[Action]:
    """Let users act for a time; return everything they did."""
    limits = httpx.Limits(max_connections=None)
    until = page.clock() + seconds
    async with httpx.AsyncClient(base_url=page.served.url, timeout=TIMEOUT, limits=limits) as http:
        lives = await asyncio.gather(*(User(number, page, http).live(until) for number in range(users)))
    return [action for life in lives for action in life]


def times(values: Iterable[float | None]) -> dict[str, float]:
    """Median, 95th percentile and maximum, in s."""
    known = sorted(value for value in values if value is not None)
    if not known:
        return {}
    p95 = known[int(0.95 * (len(known) - 1))]
    return {"median": round(statistics.median(known), 2), "p95": round(p95, 2), "max": round(known[-1], 2)}


def out_of_order(ascents: list[Action]) -> int:
    """How many ascents had their turn before one that had asked at least a second earlier."""
    turns = sorted((ascent for ascent in ascents if ascent.started is not None), key=lambda ascent: ascent.started or 0)
    return sum(any(later.asked + 1 < turn.asked for later in turns[i + 1 :]) for i, turn in enumerate(turns))


def summary(actions: list[Action], megabytes: list[float]) -> dict[str, Any]:
    """What the crowd got, and what it cost."""
    light = [action for action in actions if action.kind != "maximize"]
    ascents = [action for action in actions if action.kind == "maximize"]
    served = [ascent for ascent in ascents if ascent.outcome == "served"]
    settled = megabytes[SETTLED] if len(megabytes) > SETTLED else megabytes[-1]
    return {
        "light": {
            "asked": len(light),
            "outcomes": Counter(action.outcome for action in light).most_common(),
            "seconds": times(action.answered for action in light if action.outcome == "served"),
        },
        "ascents": {
            "asked": len(ascents),
            "outcomes": Counter(ascent.outcome for ascent in ascents).most_common(),
            "seconds": times(ascent.answered for ascent in served),
            "seconds until the place was known": times(ascent.known for ascent in served),
            "out of order": out_of_order(served),
        },
        "memory in MB": {
            "at the start": round(megabytes[0]),
            "after a minute": round(settled),
            "at the end": round(statistics.mean(megabytes[-5:])),
            "most": round(max(megabytes)),
        },
    }


async def measure(served: Served, users: int, seconds: float, then: float) -> dict[str, Any]:
    """Load the page, then with a tenth of the users if asked."""
    page, report = Page(served), {}
    watching = asyncio.create_task(page.watch())
    for words, number, duration in (("", users, seconds), ("then ", users // 10, then)):
        if duration:
            name, before = f"{words}{number} users for {duration:.0f} s", max(0, len(page.megabytes) - 1)
            report[name] = summary(await crowd(page, number, duration), page.megabytes[before:])
            print(name, json.dumps(report[name], indent=1), flush=True)
    watching.cancel()
    return report


def main() -> None:
    """Measure, print, and write the figures as JSON if asked."""
    parser = parser_of(__doc__)
    parser.add_argument("--users", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--then", type=float, default=0, help="s at a tenth of the load")
    parser.add_argument("--checkout", type=Path, default=ROOT, help="load the page of another checkout")
    parser.add_argument("--name", default="this commit", help="what to call the figures among those in the file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, running(options.checkout, GRADIO_TEMP_DIR=folder) as served:
        report = asyncio.run(measure(served, options.users, options.seconds, options.then))
        files = [path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()]
        report["files"] = {"count": len(files), "MB": round(sum(files) / 1e6)}
    print(report["files"])
    if options.json:
        known = read(options.json) or {}
        write(options.json, known | {options.name: report, "machine": machine(load_vgg16("cpu"))})


if __name__ == "__main__":
    main()
