"""Let judges that are not VGG16 take the quiz, through the endpoints of the page as any program can.

    python -m benchmarks.quiz [--layers conv3_3 conv5_1] [--seed 0] [--json FILE]

50 questions of each layer, once with the grown picture and once with nine photos. The judges of `judges.py` choose the
patch that is more like what is shown. benchmarks/README.md has the results.
"""

import argparse
import io
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import httpx
from gradio_client import Client
from PIL import Image
from scipy.stats import binomtest

from benchmarks.judges import JUDGES, Judge
from benchmarks.serving import running

LAYERS = ("conv2_2", "conv3_1", "conv3_3", "conv4_1", "conv4_3", "conv5_1", "conv5_3")
REFERENCES = ("picture", "photos")
QUESTIONS = 50
Fetch = Callable[[str], Image.Image]


def main() -> None:
    """Ask, judge, compare with the answers, and print each score with its 95 % interval."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--layers", nargs="+", default=list(LAYERS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with running() as page, httpx.Client() as http:
        client = Client(page.url, verbose=False)
        for layer in options.layers:
            for reference in REFERENCES:
                asked = client.predict(options.seed, layer, QUESTIONS, reference, api_name="/quiz")
                known = client.predict(options.seed, layer, QUESTIONS, reference, api_name="/quiz_answers")
                answers = [one["answer"] for one in known]
                for name, judge in JUDGES.items():
                    told = [decided(judge, question, lambda url: _picture(http, url)) for question in asked]
                    right = sum(mine == answer for mine, answer in zip(told, answers, strict=True))
                    rows.append(
                        {"judge": name, "layer": layer, "reference": reference, "right": right, "of": QUESTIONS}
                    )
                    show([rows[-1]], f"{name:10} {layer} {reference:8}")
    for name in JUDGES:
        for reference in REFERENCES:
            mine = [row for row in rows if (row["judge"], row["reference"]) == (name, reference)]
            show(mine, f"{name:10} all     {reference:8}")
    if options.json:
        options.json.write_text(json.dumps({"seed": options.seed, "rows": rows}, indent=1) + "\n")


def decided(judge: Judge, question: dict[str, Any], fetch: Fetch) -> str:
    """The side that is more like what is shown of the channel."""
    shown = question["reference"]
    pictures = [shown["picture"]] if shown["picture"] else shown["photos"]
    features = judge([fetch(url) for url in (*pictures, question["left"], question["right"])])
    left, right = features[-2:] @ features[:-2].mean(0)
    return "left" if left > right else "right"


def show(rows: Iterable[dict[str, Any]], words: str) -> None:
    """Print a share with Wilson's 95 % interval."""
    rows = list(rows)
    right, of = sum(row["right"] for row in rows), sum(row["of"] for row in rows)
    interval = binomtest(right, of).proportion_ci(method="wilson")
    print(f"{words} {right:4} of {of:4}  {right / of:.2f} ({interval.low:.2f} to {interval.high:.2f})", flush=True)


def _picture(http: httpx.Client, url: str) -> Image.Image:
    return Image.open(io.BytesIO(http.get(url).raise_for_status().content)).convert("RGB")


if __name__ == "__main__":
    main()
