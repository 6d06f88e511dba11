"""What `card` and `site` write is what the engine makes."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.ascents import CAT

import cnnvis

Run = Callable[..., str]


def test_a_card_is_written_as_the_engine_makes_it(run: Run) -> None:
    record = json.loads(run("card", "conv5_1:260", "--theme", "dark", "-o", "card.html", "--json", "-"))
    file = Path("card.html").read_bytes()
    assert file == cnnvis.card("conv5_1", 260, theme="dark").html.encode()
    assert record == {"card": "conv5_1 channel 260", "bytes": len(file), "cnnvis": cnnvis.__version__}
    assert run("card", "conv1_1", "0", "-o", "c.html").startswith("a card of conv1_1 channel 0, ")


def test_a_concept_is_named_by_its_number(run: Run) -> None:
    assert run("card", "conv5_3", "--concept", "3", "-o", "c.html").startswith("a card of concept 3 of conv5_3, ")


def test_a_place_is_named_by_photo_row_and_column(run: Run) -> None:
    said = run("card", "conv5_1", "--place", CAT, "4", "5", "-o", "place.html")
    assert said.startswith("a card of conv5_1, row 4, column 5, ")
    assert Path("place.html").read_text(encoding="utf-8") == cnnvis.card("conv5_1", place=(CAT, 4, 5)).html


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["conv5_1", "-o", "c.html"], "no channel was given"),
        (["conv5_1", "3", "-o", "c.png"], "suffix '.png' is unknown: choose one of .html"),
        (["conv5_1", "3", "--place", CAT, "4", "5", "-o", "c.html"], "leave out everything else"),
        (["conv5_1", "--place", CAT, "4", "x", "-o", "c.html"], "column 'x' is out of range"),
        (["conv5_1", "3", "--live", "example.org", "-o", "c.html"], "give one that begins with https"),
    ],
)
def test_a_card_that_cannot_be_made_is_refused(argv: list[str], words: str, refusal: Run) -> None:
    assert words in refusal("card", *argv)
    assert not Path("c.html").exists()


def test_a_site_is_written_and_reported(run: Run) -> None:
    said = run("site", "-o", "site", "--layers", "conv1_1", "--photos", CAT)
    assert said.startswith("conv1_1, ") and Path("site/index.html").is_file()
    record = json.loads(run("site", "-o", "site", "--layers", "block1_conv1", "--photos", CAT, "--json", "-"))
    assert record["layers"] == ["conv1_1"] and record["bytes"] == sum(
        path.stat().st_size for path in Path("site").rglob("*") if path.is_file()
    )
