"""The tour notebook: it runs from its first cell to its last and shows pictures."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

TOUR = Path(__file__).parents[1] / "examples" / "tour.ipynb"


@pytest.mark.slow
def test_the_tour_runs_and_shows_pictures() -> None:
    notebook = nbformat.read(TOUR, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "commit it without outputs"
    NotebookClient(notebook, timeout=180, resources={"metadata": {"path": TOUR.parent}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) >= 10  # two of filters, one each of maps, a patch and the grown picture, five rungs
    said = "".join(output.get("text", "") for output in outputs)
    assert "step 40: activation" in said
    assert said.count("robust") == 5
    assert "conv3_1 60 0" in said
