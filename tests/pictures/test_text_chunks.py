"""Text chunks: Pillow finds the same text, wherever it stands, and nothing hostile costs more than a look."""

import io
import time
import tracemalloc
import zlib

import pytest
from helpers.pictures import chunk, noise, saved
from PIL import Image, PngImagePlugin

from cnnvis.pictures.text_chunks import MAX_CHUNKS, MAX_TEXT_BYTES, text_chunk

WORDS = {"latin": "naïve, 224 px", "long": "wörds " * 5000, "braces": '{"layer": "conv5_3"}', "empty": ""}


def holding(kind: str, text: str) -> bytes:
    """A PNG with a text of the keyword `mine` between two others, as Pillow writes it."""
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("Software", "mine")
    if kind == "tEXt":
        chunks.add_text("mine", text)
    elif kind == "zTXt":
        chunks.add_text("mine", text, zip=True)
    else:
        chunks.add_itxt("mine", text, "de", "meins", zip=kind == "compressed iTXt")
    chunks.add_itxt("minefield", "not this one")
    return saved(noise(8, 8), pnginfo=chunks).getvalue()


@pytest.mark.parametrize("text", WORDS.values(), ids=WORDS)
@pytest.mark.parametrize("kind", ["tEXt", "zTXt", "iTXt", "compressed iTXt"])
def test_a_text_is_found_as_pillow_finds_it(kind: str, text: str) -> None:
    content = holding(kind, text)
    with Image.open(io.BytesIO(content)) as picture:
        assert isinstance(picture, PngImagePlugin.PngImageFile)
        assert text_chunk(io.BytesIO(content), "mine") == picture.text["mine"] == text
    assert text_chunk(io.BytesIO(content), "yours") is text_chunk(io.BytesIO(content), "min") is None


def test_a_text_behind_the_pixels_is_found_and_one_behind_the_end_is_not() -> None:
    plain, text = saved(noise(8, 8)).getvalue(), chunk(b"tEXt", b"mine\0here")
    end = plain.index(b"IEND") - 4
    assert text_chunk(io.BytesIO(plain[:end] + text + plain[end:]), "mine") == "here"
    assert text_chunk(io.BytesIO(plain + text), "mine") is None


def test_a_file_cut_short_anywhere_has_the_text_or_none() -> None:
    content = holding("iTXt", "words")
    texts = {text_chunk(io.BytesIO(content[:length]), "mine") for length in range(len(content))}
    assert None in texts and "words" in texts and all("words".startswith(text or "") for text in texts)
    assert text_chunk(io.BytesIO(b"GIF89a" + content), "mine") is None


BOMB = zlib.compress(bytes(80_000_000), 9)
START = saved(noise(8, 8)).getvalue()[:33]  # signature and IHDR
HOSTILE = {
    "unpacks to 80 MB": chunk(b"zTXt", b"mine\0\0" + BOMB),
    "unpacks to 80 MB, iTXt": chunk(b"iTXt", b"mine\0\1\0\0\0" + BOMB),
    "damaged": chunk(b"zTXt", b"mine\0\0" + BOMB[:1] + b"x" + BOMB[2:]),
    "packed text cut short": chunk(b"zTXt", b"mine\0\0" + BOMB[:100]),
    "too long": chunk(b"tEXt", b"mine\0" + bytes(MAX_TEXT_BYTES)),
    "a million chunks": chunk(b"prVt", b"") * 1_000_000 + chunk(b"tEXt", b"mine\0late"),
    "a length of 4 GB": b"\xff\xff\xff\xfftEXtmine\0",
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_has_no_text_and_costs_next_to_nothing(content: bytes) -> None:
    file = io.BytesIO(START + content)
    tracemalloc.start()
    begun = time.process_time()
    assert text_chunk(file, "mine") is None
    seconds, (_, peak) = time.process_time() - begun, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seconds < 1 and peak < 4 * MAX_TEXT_BYTES


def test_as_many_chunks_as_a_long_animation_has_are_read() -> None:
    content = START + chunk(b"fdAT", b"1234") * (MAX_CHUNKS - 2) + chunk(b"tEXt", b"mine\0late")
    assert text_chunk(io.BytesIO(content), "mine") == "late"
