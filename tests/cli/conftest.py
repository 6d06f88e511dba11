"""Every test of the command line runs in a folder of its own."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from cnnvis.__main__ import main

Run = Callable[..., str]


@pytest.fixture(autouse=True)
def own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let relative file names end up in the test's own folder."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command that succeeds, and returns its output. Stderr stays empty, because it is not a terminal."""

    def run(*argv: object) -> str:
        assert main([str(word) for word in argv]) == 0
        out, err = capsys.readouterr()
        assert err == ""
        return out

    return run


@pytest.fixture
def refusal(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command that is refused, and returns the error message."""

    def refusal(*argv: object) -> str:
        assert main([str(word) for word in argv]) == 2
        out, err = capsys.readouterr()
        assert out == "" and re.fullmatch(r"cnnvis: [^\n]+[.?)]\n", err), err
        return err

    return refusal
