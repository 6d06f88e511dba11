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

# A wing imports only from those left of its arrow. Two wings without an arrow between them do not know each other.
ENGINE = (
    "errors version ← checks pictures ← network ← analysis maximization ← prepared ← views ← export notebook ← __init__"
)
WINGS = f"{ENGINE} ← ui ← cli ← __main__"
UI = "texts theme ← serving ← parts ← tabs api card ← links ← share ← page ← __init__"
SOURCES = sorted((ROOT / "cnnvis").rglob("*.py"))


def wing_of(path: Path, depth: int = 1) -> str:
    """The wing of a file in `cnnvis/`; with `depth` 2, its part of the page."""
    return path.relative_to(ROOT).with_suffix("").parts[depth]


def imported(path: Path) -> Iterator[str]:
    """Yield the dotted name of every import in a file, including imports inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports relatively"
            assert node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def check_arrows(path: Path, arrows: str, depth: int) -> None:
    """Assert that a file imports only from its own wing and from those that its wing's arrow points to."""
    level = {wing: number for number, wings in enumerate(arrows.split("←")) for wing in wings.split()}
    package, mine = path.relative_to(ROOT).parts[:depth], wing_of(path, depth)
    names = (name.split(".") for name in imported(path))
    theirs = {(*name, "")[depth] for name in names if tuple(name[:depth]) == package}
    theirs = {wing if wing in level else "__init__" for wing in theirs}  # `from cnnvis import maximize`
    assert all(level[wing] < level[mine] or wing == mine for wing in theirs), theirs


# Public names


def test_dunder_all_lists_exactly_the_public_names() -> None:
    visible = {name for name, value in vars(cnnvis).items() if name[0] != "_" and not isinstance(value, ModuleType)}
    assert set(cnnvis.__all__) == visible | {"__version__"}
    assert cnnvis.__all__ == sorted(cnnvis.__all__, key=lambda name: (not name.isupper(), not name[0].isupper(), name))


def test_the_package_file_holds_only_imports_and_dunder_all() -> None:
    docstring, *rest, contents = ast.parse((ROOT / "cnnvis" / "__init__.py").read_text(encoding="utf-8")).body
    assert isinstance(docstring, ast.Expr) and all(isinstance(node, ast.ImportFrom) for node in rest)
    assert isinstance(contents, ast.Assign) and ast.unparse(contents.targets[0]) == "__all__"


def test_no_public_name_hides_a_module() -> None:
    """If the package also had a module called `score`, `cnnvis.score` could mean either."""
    modules = {path.stem for path in (ROOT / "cnnvis").iterdir() if path.suffix == ".py" or path.is_dir()}
    assert not modules & set(cnnvis.__all__)


def test_everything_public_has_a_docstring() -> None:
    documented = (name for name in cnnvis.__all__ if name == "VGG16" or not (name.isupper() or name[0] == "_"))
    assert all(getattr(cnnvis, name).__doc__ for name in documented)


# Import rules


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_in_one_direction_and_only_the_page_imports_gradio(path: Path) -> None:
    check_arrows(path, WINGS, 1)
    if wing_of(path) == "ui":
        check_arrows(path, UI, 2)
    else:
        assert "gradio" not in {name.split(".")[0] for name in imported(path)}


@pytest.mark.parametrize("folder", sorted({path.parent for path in SOURCES}), ids=lambda path: path.name)
def test_a_folder_is_small_enough_to_take_in(folder: Path) -> None:
    assert len([path for path in folder.glob("*.py") if path.name != "__init__.py"]) <= 14


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
    assert len(sentence) < 300 and not {"!", "\n"} & set(sentence)
    assert sentence[0].islower() and sentence.endswith((".", ".)")) and not sentence.endswith("None.")


def test_errors_name_the_given_value_and_the_allowed_ones() -> None:
    assert str(SettingError.outside("size", 9999, 64, 512, "px")) == "size 9999 is out of range: choose 64 to 512 px."
    assert str(SettingError.outside("seed", -1, 0, 7)) == "seed -1 is out of range: choose 0 to 7."
    unknown = SettingError.not_one_of("view", "grey", ("rgb", "gray"))
    assert str(unknown) == "view 'grey' is unknown: choose one of rgb, gray."
    outside = ChannelError.outside("channel", 99, 64, "conv1_1")
    assert str(outside) == "channel 99 does not exist in conv1_1: choose a whole number from 0 to 63."
    pool = LayerError.not_a_convolution("pool1", "conv1_2")
    assert str(pool) == "layer 'pool1' has no filters of its own: choose a convolution, for example 'conv1_2'."
    layer, dialects = LayerError.unknown("x", ("conv1_1", "pool5")), "features.10, 10 or block3_conv1"
    layers = "The layers are conv1_1 to pool5."
    assert str(layer) == f"layer 'x' does not exist. {layers} (conv3_1 may also be written {dialects}.)"


def test_every_error_is_a_cnnvis_error() -> None:
    kinds = [kind for kind in vars(errors).values() if getattr(kind, "__module__", "") == errors.__name__]
    classes = {kind for kind in kinds if isinstance(kind, type)}
    assert len(classes) == 10 and all(issubclass(kind, CnnvisError) for kind in classes)
    assert {kind.__name__ for kind in classes} <= set(cnnvis.__all__)
