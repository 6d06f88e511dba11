"""The commands maximize and score. Ctrl-C, a failure and a full disk lose no work."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import EXAMPLES, ROOT
from helpers.ascents import CAT
from PIL import Image

import cnnvis
from cnnvis.__main__ import main
from cnnvis.cli import commands

Run = Callable[..., str]
SMALL = ["maximize", "conv1_1", "5", "--size", "64", "--steps", "3", "--seed", "2"]


def small(recipe: str = "fourier") -> cnnvis.Snapshot:
    """The end of the same ascent, grown by the engine."""
    *_, last = cnnvis.maximize(cnnvis.load_vgg16(), "conv1_1", 5, recipe, size=64, steps=3, seed=2)
    return last


def record_in(picture: str) -> Any:
    with Image.open(picture) as opened:
        return json.loads(opened.text["cnnvis"])


def same(first: str, second: str) -> bool:
    with Image.open(first) as one, Image.open(second) as other:
        return one.tobytes() == other.tobytes()


def test_an_ascent_can_be_a_webp_animation(run: Run) -> None:
    run(*SMALL, "--animation", "up.webp")
    with Image.open("up.webp") as read:
        assert (read.format, read.size) == ("WEBP", (64, 64)) and read.n_frames >= 2
        read.seek(read.n_frames - 1)
        difference = np.asarray(read.convert("RGB")).astype(int) - np.asarray(small().picture)
    assert np.abs(difference).mean() < 8


def test_the_png_and_the_json_file_hold_the_same_record(run: Run) -> None:
    line = run(*SMALL, "--recipe", "erhan", "-o", "up.png", "--animation", "up.gif", "--json", "up.json")
    record, last = json.loads(Path("up.json").read_text(encoding="utf-8")), small("erhan")
    assert record == record_in("up.png")
    assert record | {"seconds": 0} == cnnvis.scored_record(cnnvis.load_vgg16(), last) | {"seconds": 0}
    with Image.open("up.png") as picture, Image.open("up.gif") as animation:
        assert picture.tobytes() == last.picture.tobytes()
        assert animation.size == (64, 64) and animation.n_frames >= 2  # the first and the last step are always included
    assert line.startswith("conv1_1 channel 5, erhan, 3 of 3 steps: activation ")
    assert f"saved activation {record['saved_activation']:.4g}, robust {record['robust']:.4g}" in line
    assert sorted(os.listdir()) == ["up.gif", "up.json", "up.png"]


def test_every_option_reaches_the_settings_and_no_file_is_written_unasked(run: Run) -> None:
    options = ["--seconds", "9.5", "--objective", "negative"]
    record = json.loads(run(*SMALL, *options, "--start", CAT, "--json", "-"))
    wanted = {"size": 64, "steps": 3, "seed": 2, "seconds": 9.5, "objective": "negative"}
    assert record["settings"].items() >= wanted.items() and record["recipe"] == cnnvis.Settings().recipe
    assert record["activation"] != json.loads(run(*SMALL, *options, "--json", "-"))["activation"]
    assert os.listdir() == []


# Score


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_score_measures_the_saved_file(suffix: str, run: Run) -> None:
    record = json.loads(run(*SMALL, "--json", "-", "-o", f"up{suffix}"))
    scored = json.loads(run("score", f"up{suffix}", "features.0", "5", "--json", "-"))
    names = ["saved_activation", "robust", "fires", "strongest", "saturation", "naturalness", "selectivity"]
    asked = {"layer": "conv1_1", "channel": 5, "cnnvis": cnnvis.__version__}
    assert scored == asked | {name: record[name] for name in names}
    if suffix == ".png":  # it names its layer and channel itself
        assert json.loads(run("score", "up.png", "--json", "-")) == scored


def test_score_prints_a_sentence(run: Run) -> None:
    Image.new("RGB", (224, 224)).save("black.png")
    strength = cnnvis.feature_maps(cnnvis.load_vgg16(), "black.png", "relu1_1").strength
    silent, loud = int(strength.argmin()), int(strength.argmax())
    assert strength[silent] == 0
    assert run("score", "black.png", "relu1_1", silent).endswith("never fires\n")
    line = run("score", "black.png", "relu1_1", loud)
    assert line.startswith(f"relu1_1 channel {loud}: saved activation {strength[loud]:.4g}, robust ")
    assert "never" not in line


# Like another picture


def test_like_repeats_the_experiment_of_a_png(run: Run, refusal: Run) -> None:
    run(*SMALL, "--recipe", "erhan", "--objective", "centre", "-o", "up.png")
    run("maximize", "--like", "up.png", "-o", "again.png")
    again, up = record_in("again.png"), record_in("up.png")
    assert again | {"seconds": 0} == up | {"seconds": 0} and same("up.png", "again.png")
    other = json.loads(run("maximize", "conv1_2", "9", "--like", "up.png", "--seed", "3", "--json", "-"))
    assert (other["layer"], other["channel"], other["seed"], other["recipe"]) == ("conv1_2", 9, 3, "erhan")
    assert other["settings"] == up["settings"] | {"seed": 3}
    assert "leave out --recipe or --like" in refusal("maximize", "--like", "up.png", "--recipe", "maco")


def test_like_says_in_one_line_what_differs(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run(*SMALL, "-o", "up.png")
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        assert main(["maximize", "--like", "up.png", "--precision", "bfloat16", "--json", "-"]) == 0
    finally:
        torch.set_num_threads(threads)
    out, err = capsys.readouterr()
    then = record_in("up.png")["build"]["precision"]
    changed = [] if then == "bfloat16" else [f"precision {then} (now bfloat16)"]
    changed += [f"threads {threads} (now {threads + 1})"]
    assert err.startswith(f"cnnvis: That picture was made with {', '.join(changed)}: this one ")
    assert err.count("\n") == 1
    assert json.loads(out)["build"]["threads"] == threads + 1


def test_like_needs_the_photo_of_the_start(run: Run, refusal: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run(*SMALL, "--start", CAT, "-o", "up.png")
    like = ["maximize", "--like", "up.png"]
    assert "grew from a photo that it does not contain: give the photo with --start" in refusal(*like)
    run(*like, "--start", CAT, "-o", "again.png")
    assert same("up.png", "again.png")
    assert main([*like, "--start", str(EXAMPLES / "coffee.jpg"), "-o", "other.png"]) == 0
    sentence = r"cnnvis: [^\n]* the photo \w{12} \(now \w{12}\): this one will [^\n]*\n"
    assert re.fullmatch(sentence, capsys.readouterr().err)


# Failures and Ctrl-C


def test_the_picture_is_kept_if_scoring_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(cnnvis, "scored_record", broken)
    with pytest.raises(RuntimeError, match="out of memory"):
        main([*SMALL, "-o", "up.png", "--animation", "up.gif"])
    assert cnnvis.open_photo("up.png").size == (64, 64)
    assert sorted(os.listdir()) == ["up.gif", "up.png"]


def test_a_full_disk_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    assert main([*SMALL, "-o", "up.png", "--json", "/dev/full"]) == 2
    assert "No space left" in capsys.readouterr().err
    assert record_in("up.png")["step"] == 3


@pytest.mark.slow
def test_ctrl_c_keeps_the_last_picture(tmp_path: Path) -> None:
    terminal, stderr = pty.openpty()
    termios.tcsetwinsize(stderr, (24, 100))
    ascent = "maximize conv1_2 5 --recipe erhan --size 64 --steps 512 -o up.png --animation up.gif --json up.json"
    child = subprocess.Popen(
        [sys.executable, "-m", "cnnvis", *ascent.split()],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # CI may ignore SIGINT
    )
    os.close(stderr)
    with child:
        seen = b""
        while b"activation" not in seen:  # the progress bar, which appears only in a terminal
            seen += os.read(terminal, 1000)
        child.send_signal(signal.SIGINT)
        line, _ = child.communicate(timeout=60)
    os.close(terminal)
    assert child.returncode == 130
    record = json.loads(Path("up.json").read_text(encoding="utf-8"))
    assert record == record_in("up.png") and 0 <= record["step"] < 512
    assert f"{record['step']} of 512 steps" in line
    score = cnnvis.score(cnnvis.load_vgg16(), cnnvis.open_photo("up.png"), "conv1_2", 5)
    assert record.items() >= score.record().items()
    assert sorted(os.listdir()) == ["up.gif", "up.json", "up.png"]


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def test_ctrl_c_during_scoring_loses_only_the_score(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cnnvis, "scored_record", interrupted)
    assert main([*SMALL, "-o", "up.png", "--json", "up.json"]) == 130
    assert json.loads(Path("up.json").read_text(encoding="utf-8")) == record_in("up.png")
    assert "activation" in record_in("up.png") and "robust" not in record_in("up.png")


def test_ctrl_c_before_the_first_picture_writes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "load_for", interrupted)
    assert main([*SMALL, "-o", "up.png"]) == 130
    assert os.listdir() == []
