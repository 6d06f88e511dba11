"""The package as a whole: its public names, its import rules and its error messages."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from helpers import ROOT

import cnnvis
from cnnvis import errors
from cnnvis.errors import ChannelError, CnnvisError, LayerError, SettingError

# A wing may import only wings in the rows above its own: two in one row do not know each other.
WINGS = [
    {"errors", "version"},
    {"checks", "pictures"},
    {"network"},
    {"analysis", "maximization"},
    {"prepared"},
    {"notebook"},
    {"__init__"},
    {"ui"},
    {"cli"},
    {"__main__"},
]
UI = [{"texts", "theme"}, {"serving"}, {"parts"}, {"tabs", "api"}, {"links"}, {"share"}, {"page"}, {"__init__"}]
SOURCES = sorted((ROOT / "cnnvis").rglob("*.py"))


def wing_of(path: Path, depth: int = 1) -> str:
    """Return the wing of a file in `cnnvis/`; with `depth` 2, its part of the page."""
    return path.relative_to(ROOT).with_suffix("").parts[depth]


def imported(path: Path) -> Iterator[str]:
    """Yield the dotted name of every import in a file, including imports inside functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports relatively"
            assert node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def check_arrows(path: Path, rows: list[set[str]], depth: int) -> None:
    """Assert that a file imports only what stands in the rows above its own, or in its own wing."""
    level = {wing: row for row, wings in enumerate(rows) for wing in wings}
    package = path.relative_to(ROOT).parts[:depth]
    mine = wing_of(path, depth)
    names = (name.split(".") for name in imported(path))
    theirs = {(*name, "")[depth] for name in names if tuple(name[:depth]) == package}
    theirs = {wing if wing in level else "__init__" for wing in theirs}  # `from cnnvis import maximize`
    assert all(level[wing] < level[mine] or wing == mine for wing in theirs), theirs


# Public names


def test_dunder_all_lists_exactly_the_public_names() -> None:
    visible = {
        name for name, value in vars(cnnvis).items() if not (name.startswith("_") or isinstance(value, ModuleType))
    }
    assert set(cnnvis.__all__) == visible | {"__version__"}
    assert cnnvis.__all__ == sorted(cnnvis.__all__, key=lambda name: (not name.isupper(), not name[0].isupper(), name))


def test_the_package_file_holds_only_imports_and_dunder_all() -> None:
    docstring, *rest, contents = ast.parse((ROOT / "cnnvis" / "__init__.py").read_text()).body
    assert isinstance(docstring, ast.Expr)
    assert all(isinstance(node, ast.ImportFrom) for node in rest)
    assert isinstance(contents, ast.Assign)
    assert ast.unparse(contents.targets[0]) == "__all__"


def test_no_public_name_hides_a_module() -> None:
    """If a module of the package were called `score` too, `cnnvis.score` could mean either."""
    modules = {path.stem for path in (ROOT / "cnnvis").iterdir() if path.suffix == ".py" or path.is_dir()}
    assert not modules & set(cnnvis.__all__)


def test_everything_public_has_a_docstring() -> None:
    functions_and_classes = (getattr(cnnvis, name) for name in cnnvis.__all__ if not (name.isupper() or name[0] == "_"))
    assert all(thing.__doc__ for thing in functions_and_classes)


# Import rules


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_in_one_direction(path: Path) -> None:
    check_arrows(path, WINGS, 1)
    if wing_of(path) == "ui":
        check_arrows(path, UI, 2)


@pytest.mark.parametrize("folder", sorted({path.parent for path in SOURCES}), ids=lambda path: path.name)
def test_a_folder_is_small_enough_to_take_in(folder: Path) -> None:
    assert len([path for path in folder.glob("*.py") if path.name != "__init__.py"]) <= 14


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_page_imports_gradio(path: Path) -> None:
    roots = {name.split(".")[0] for name in imported(path)}
    assert "gradio" not in roots or wing_of(path) == "ui"


def test_errors_imports_only_the_standard_library() -> None:
    assert {name.split(".")[0] for name in imported(ROOT / "cnnvis" / "errors.py")} <= sys.stdlib_module_names


@pytest.mark.slow
def test_importing_the_engine_does_not_import_the_page() -> None:
    code = "import sys, cnnvis.__main__; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert {"cnnvis", "torch"} <= loaded
    assert not loaded & {"gradio", "gradio_client", "fastapi", "matplotlib", "IPython"}


# Errors

LONG = "conv" * 250_000
SENTENCES = [
    LayerError.unknown(LONG, cnnvis.CONVOLUTIONS),
    LayerError.unknown("conv9_1", cnnvis.CONVOLUTIONS),
    LayerError.not_a_convolution("relu1_1", "conv1_1"),
    LayerError.with_channel(LONG),
    LayerError.other_classes(10),
    ChannelError.twice("165", LONG),
    ChannelError.outside("channel", LONG, 64, "conv1_1"),
    ChannelError.outside("input_channel", None, 3, "conv1_1"),
    SettingError.outside("size", LONG, 64, 512, "px"),
    SettingError.outside("seed", None, 0, 7),
    SettingError.not_one_of("recipe", LONG, cnnvis.RECIPES),
    SettingError.not_one_of("view", None, ("rgb", "gray")),
]


@pytest.mark.parametrize("error", SENTENCES, ids=lambda error: str(error)[:30])
def test_an_error_is_one_short_sentence(error: CnnvisError) -> None:
    sentence = str(error)
    assert len(sentence) < 300
    assert sentence[0].islower()
    assert sentence.endswith((".", ".)"))
    assert not sentence.endswith("None.")
    assert not {"!", "\n"} & set(sentence)


def test_errors_name_the_given_value_and_the_allowed_ones() -> None:
    assert str(SettingError.outside("size", 9999, 64, 512, "px")) == "size 9999 is out of range: choose 64 to 512 px."
    assert str(SettingError.outside("seed", -1, 0, 7)) == "seed -1 is out of range: choose 0 to 7."
    assert str(SettingError.not_one_of("view", "grey", ("rgb", "gray"))) == (
        "view 'grey' is unknown: choose one of rgb, gray."
    )
    assert str(ChannelError.outside("channel", 99, 64, "conv1_1")) == (
        "channel 99 does not exist in conv1_1: choose a whole number from 0 to 63."
    )
    assert str(LayerError.not_a_convolution("pool1", "conv1_2")) == (
        "layer 'pool1' has no filters of its own: choose a convolution, for example 'conv1_2'."
    )
    assert str(LayerError.unknown("x", ("conv1_1", "pool5"))) == (
        "layer 'x' does not exist. The layers are conv1_1 to pool5. "
        "(conv3_1 may also be written features.10, 10 or block3_conv1.)"
    )


def test_every_error_is_a_cnnvis_error() -> None:
    classes = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    classes = [kind for kind in classes if kind.__module__ == errors.__name__]
    assert len(classes) == 9
    assert all(issubclass(kind, CnnvisError) for kind in classes)
    assert {kind.__name__ for kind in classes} <= set(cnnvis.__all__)
