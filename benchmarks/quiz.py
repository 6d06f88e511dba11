"""Let judges that are not VGG16 take the quiz through the page's endpoints, as any program can.

    python -m benchmarks.quiz [--layers conv3_3 conv5_1] [--seed 0] [--json FILE]

Asks 50 questions about each layer, once with the grown picture and once with nine photos. The judges of `judges.py`
choose the patch that is more like what is shown. The main README has the results.
"""

import io
from collections.abc import Callable, Sequence
from typing import Any

import httpx
from gradio_client import Client
from PIL import Image
from scipy.stats import binomtest

from benchmarks.judges import JUDGES, Judge
from benchmarks.report import LAYERS, parser_of, write
from benchmarks.serving import running

REFERENCES = ("picture", "photos")
QUESTIONS = 50
Fetch = Callable[[str], Image.Image]


def main() -> None:
    """Ask, judge, compare with the answers, and print each score with its 95 % interval."""
    parser = parser_of(__doc__)
    parser.add_argument("--layers", nargs="+", default=list(LAYERS))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with running() as page, httpx.Client() as http:
        client = Client(page.url, verbose=False)
        for layer in options.layers:
            for reference in REFERENCES:
                asked = client.predict(options.seed, layer, QUESTIONS, reference, api_name="/quiz")
                known = client.predict(options.seed, layer, QUESTIONS, reference, api_name="/quiz_answers")
                answers = [solution["answer"] for solution in known]
                for name, judge in JUDGES.items():
                    sides = [decided(judge, question, lambda url: _picture(http, url)) for question in asked]
                    right = sum(side == answer for side, answer in zip(sides, answers, strict=True))
                    row = {"judge": name, "layer": layer, "reference": reference, "right": right, "of": QUESTIONS}
                    show([row], f"{name:10} {layer} {reference:8}")
                    rows.append(row)
    for name in JUDGES:
        for reference in REFERENCES:
            all_layers = [row for row in rows if (row["judge"], row["reference"]) == (name, reference)]
            show(all_layers, f"{name:10} all     {reference:8}")
    write(options.json, {"seed": options.seed, "rows": rows})


def decided(judge: Judge, question: dict[str, Any], fetch: Fetch) -> str:
    """The side that is more like what represents the channel."""
    shown = question["reference"]
    pictures = [shown["picture"]] if shown["picture"] else shown["photos"]
    features = judge([fetch(url) for url in (*pictures, question["left"], question["right"])])
    left, right = features[-2:] @ features[:-2].mean(0)
    return "left" if left > right else "right"


def show(rows: Sequence[dict[str, Any]], words: str) -> None:
    """Print a share with Wilson's 95 % interval."""
    right, of = sum(row["right"] for row in rows), sum(row["of"] for row in rows)
    interval = binomtest(right, of).proportion_ci(method="wilson")
    print(f"{words} {right:4} of {of:4}  {right / of:.2f} ({interval.low:.2f} to {interval.high:.2f})", flush=True)


def _picture(http: httpx.Client, url: str) -> Image.Image:
    return Image.open(io.BytesIO(http.get(url).raise_for_status().content)).convert("RGB")


if __name__ == "__main__":
    main()
