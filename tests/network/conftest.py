"""The network's tests choose their weights themselves."""

from pathlib import Path

import huggingface_hub.constants
import pytest


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Ignore the developer's own CNNVIS_WEIGHTS and Hub cache."""
    monkeypatch.delenv("CNNVIS_WEIGHTS", raising=False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
