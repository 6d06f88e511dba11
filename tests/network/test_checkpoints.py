"""Weights as people save them: a table of checkpoints with what each gives, and batch norm against torchvision's."""

import re
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from helpers.checkpoints import headed, network, slim
from safetensors.torch import save_file
from torch import Tensor, nn

from cnnvis.errors import WeightsError
from cnnvis.network.architecture import CONVOLUTIONS, find_layer
from cnnvis.network.checkpoints import read_checkpoint
from cnnvis.network.vgg import build
from cnnvis.network.weights import read_weights

State = dict[str, Tensor]


VGG16 = slim(network("vgg16"))
TRUNK = {key: tensor for key, tensor in VGG16.items() if key.startswith("features.")}
RELU4_1 = {f"features.{number}.{part}" for number in range(20) for part in ("weight", "bias")}


def renamed(state: Mapping[str, Tensor], old: str, new: str) -> State:
    """The same tensors with other beginnings of their names."""
    return {new + key.removeprefix(old): tensor for key, tensor in state.items()}


def cast(dtype: torch.dtype) -> State:
    """The convolutions in another type."""
    return {key: tensor.flatten()[:1].to(dtype).expand(tensor.shape) for key, tensor in TRUNK.items()}


def wrapped() -> dict[str, Any]:
    """A checkpoint of torchvision's reference training, or of PyTorch's ImageNet example."""
    moments = {number: {"step": torch.tensor(3.0), "exp_avg": torch.zeros(64, 3, 3, 3)} for number in range(3)}
    return {
        "epoch": 90,
        "arch": "vgg16",
        "state_dict": renamed(VGG16, "", "module."),
        "best_acc1": torch.tensor(71.6),
        "optimizer": {"state": moments, "param_groups": [{"lr": 0.1, "params": [0, 1, 2]}]},
    }


# Each of these files is used.
USED: dict[str, tuple[Any, dict[str, Any]]] = {
    "vgg16.pth": (VGG16, {"name": "VGG16", "classes": 1000}),
    "features-alone.pt": (renamed(TRUNK, "features.", ""), {"name": "VGG16", "classes": 0}),
    "data-parallel.bin": (renamed(VGG16, "", "module."), {"name": "VGG16", "classes": 1000}),
    "lightning.ckpt": ({"epoch": 3, "state_dict": renamed(VGG16, "", "model.")}, {"classes": 1000}),
    "perceptual-loss.pth": (
        renamed(TRUNK, "features.", "loss.net.vgg.") | {"decoder.weight": torch.zeros(3)},
        {"rest": True},
    ),
    "checkpoint.pth.tar": (wrapped(), {"classes": 1000, "rest": False}),
    "model_state_dict": ({"epoch": 1, "model_state_dict": VGG16}, {"classes": 1000}),
    "nested.model": ({"checkpoint": {"model": {"weights": VGG16}}}, {"classes": 1000}),
    "parameters.pth": ({key: nn.Parameter(tensor) for key, tensor in TRUNK.items()}, {"name": "VGG16"}),
    "half.pth": (cast(torch.float16), {"stored_as": "float16"}),
    "bfloat16.pth": (cast(torch.bfloat16), {"stored_as": "bfloat16"}),
    "double.pth": (cast(torch.float64), {"stored_as": "float64"}),
    "ten-classes.pth": (headed(VGG16, 10), {"classes": 10, "rest": False}),
    "own-head.pth": (
        TRUNK | {"classifier.0.weight": torch.zeros(2, 25088), "classifier.0.bias": torch.zeros(2)},
        {"classes": 0, "rest": True},
    ),
    "vgg11.pth": (slim(network("vgg11")), {"name": "VGG11", "classes": 1000}),
    "vgg13_bn.pth": (slim(network("vgg13_bn")), {"name": "VGG13", "batch_norm": True}),
    "vgg16_bn.pth": (slim(network("vgg16_bn")), {"name": "VGG16", "batch_norm": True, "classes": 1000}),
    "vgg19.pth": (slim(network("vgg19")), {"name": "VGG19", "batch_norm": False}),
}

# Each of these is refused, by what it is.
REFUSED: dict[str, tuple[Any, str]] = {
    "gray.pth": (TRUNK | {"features.0.weight": torch.zeros(64, 1, 3, 3)}, "has one input channel, not three"),
    "rgbd.pth": (TRUNK | {"features.0.weight": torch.zeros(64, 4, 3, 3)}, "has 4 input channels, not three"),
    "narrow.pth": (
        TRUNK | {"features.2.weight": torch.zeros(32, 64, 3, 3)},
        r"has features.2.weight of shape \(32, 64",
    ),
    "relu4_3.pth": ({key: one for key, one in TRUNK.items() if int(key.split(".")[1]) < 23}, "has only 10 of the 13"),
    "relu4_1.pth": (
        {k: v for k, v in slim(network("vgg19")).items() if k in RELU4_1},
        "has only 9 of the 16 conv.* of VGG19",
    ),
    "nan.pth": (TRUNK | {"features.28.bias": torch.full((512,), torch.nan)}, "values in features.28.bias that are not"),
    "meta.pth": (network("vgg16").state_dict(), "values in features.0.weight that are not finite numbers"),
    "resnet18.pth": (slim(network("resnet18")), "is ResNet18"),
    "resnet50.pth": ({"model": renamed(slim(network("resnet50")), "", "module.")}, "is ResNet50"),
    "alexnet.pth": (slim(network("alexnet")), "is AlexNet"),
    "densenet.pth": (slim(network("densenet121")), "is DenseNet"),
    "vit.pth": (slim(network("vit_b_16")), "is a vision transformer"),
    "mobilenet.pth": (slim(network("mobilenet_v2")), "is MobileNet"),
    "squeezenet.pth": (slim(network("squeezenet1_1")), "is SqueezeNet"),
    "googlenet.pth": (slim(network("googlenet", init_weights=False)), "is GoogLeNet"),
    "optimizer.pth": (
        {"lr": 0.1, "momentum": torch.zeros(3)},
        "is no VGG that cnnvis knows: it begins with 'momentum' of shape",
    ),
    "list.pth": ([torch.zeros(3)], "holds no tensors that have names"),
}


def saved(content: Any, path: Path) -> Path:
    """Save with torch, as people do, and return the file."""
    torch.save(content, path)
    return path


def sentence(path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The refusal of a file that CNNVIS_WEIGHTS names; it tells the whole path to the terminal alone."""
    monkeypatch.setenv("CNNVIS_WEIGHTS", str(path))
    with pytest.raises(WeightsError) as refused:
        read_weights()
    said = str(refused.value)
    assert said.startswith(f"weights file {path.name!r} ") and said.endswith(".") and len(said) < 300
    assert str(path.parent) not in said and str(path) in refused.value.in_terminal()
    return said


@pytest.mark.parametrize("name", USED)
def test_a_checkpoint_as_people_save_it_is_used(name: str, tmp_path: Path) -> None:
    content, expected = USED[name]
    found = read_checkpoint(saved(content, tmp_path / name))
    about = {**vars(found), "name": found.architecture.name, "classes": found.architecture.classes}
    assert {key: about[key] for key in expected} == expected
    assert bool(found.classifier) == bool(found.architecture.classes)
    assert {(tensor.dtype, tensor.requires_grad) for tensor in found.trunk.values()} == {(torch.float32, False)}
    assert len(found.trunk) == 2 * len(found.architecture.convolutions)
    if found.architecture.name == "VGG16" and found.stored_as == "float32" and not found.batch_norm:
        assert all(
            torch.equal(found.trunk[f"{layer}.weight"], VGG16[f"features.{find_layer(layer).index}.weight"])
            for layer in CONVOLUTIONS
        )


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_used_is_refused_by_what_it_is(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, words = REFUSED[name]
    said = sentence(saved(content, tmp_path / name), monkeypatch)
    assert re.search(words, said) and "name another in CNNVIS_WEIGHTS" in said


# Files that hold no dictionary of tensors


def whole(path: Path) -> None:
    """A whole model, as tutorials warn against saving it."""
    torch.save({"epoch": 1, "model": nn.Sequential(nn.Conv2d(3, 4, 3))}, path)


def legacy(path: Path) -> None:
    """The same in PyTorch's old format."""
    torch.save(nn.Sequential(nn.Conv2d(3, 4, 3)), path, _use_new_zipfile_serialization=False)


def scripted(path: Path) -> None:
    """A TorchScript archive."""
    torch.jit.trace(nn.Conv2d(3, 4, 3), torch.zeros(1, 3, 8, 8)).save(str(path))


def with_number(path: Path) -> None:
    """A checkpoint with its best accuracy as a NumPy number."""
    torch.save({"state_dict": TRUNK, "best": np.float64(0.7)}, path)


def onnx(path: Path) -> None:
    """The beginning of a network that PyTorch exported as ONNX."""
    path.write_bytes(b"\x08\x08\x12\x07pytorch\x1a\x052.7.0" + bytes(100))


def archived(path: Path) -> None:
    """A tar archive, as the suffix promises."""
    with tarfile.open(path, "w") as archive:
        archive.add(__file__, "weights.pth")


FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "whole.pth": (whole, r"is a whole model, not its weights alone: save its state_dict\(\)"),
    "legacy.pth": (legacy, r"is a whole model, not its weights alone: save its state_dict\(\)"),
    "scripted.pt": (scripted, r"is a TorchScript archive: save its state_dict\(\)"),
    "number.pth": (with_number, r"holds more than tensors \(numpy.*scalar\): save its state_dict\(\)"),
    "vgg16.h5": (lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(90)), r"is a Keras \(HDF5\) file: save"),
    "vgg16.onnx": (onnx, "is an ONNX model: save the network as a PyTorch state_dict"),
    "vgg16.npz": (lambda path: np.savez(path, a=np.zeros(3)), "is a NumPy archive"),
    "archive.zip": (lambda path: zipfile.ZipFile(path, "w").close(), "is a zip archive without weights|truncated"),
    "real.pth.tar": (archived, "is a tar archive: unpack it"),
    "vgg16.pth.gz": (lambda path: path.write_bytes(b"\x1f\x8b" + bytes(90)), "is compressed with gzip: unpack it"),
    "pointer.pth": (lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\n"), "pointer of Git LFS"),
    "page.pth": (lambda path: path.write_text("<!DOCTYPE html><html>404</html>"), "is a web page, not the file"),
    "text.pth": (lambda path: path.write_text("just words"), "is truncated, damaged or no weights file"),
    "folder": (lambda path: path.mkdir(), "is a folder: name the file in it"),
    "empty.pth": (lambda path: path.touch(), "is empty"),
    "missing.pth": (lambda path: None, "does not exist"),
}


@pytest.mark.filterwarnings("ignore:.*torch.jit")
@pytest.mark.parametrize("name", FILES)
def test_another_format_is_refused_by_its_name(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make, words = FILES[name]
    make(tmp_path / name)
    assert re.search(words, sentence(tmp_path / name, monkeypatch))


# The values


@pytest.mark.parametrize("suffix", [".safetensors", ".bin"])
def test_a_safetensors_file_is_known_by_its_content(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"weights{suffix}"
    save_file({key: tensor.half().contiguous() for key, tensor in renamed(TRUNK, "", "backbone.").items()}, path)
    found = read_checkpoint(path)
    assert found.stored_as == "float16"
    assert torch.equal(found.trunk["conv5_3.weight"], TRUNK["features.28.weight"].half().float())


@pytest.mark.parametrize("configuration", ["A", "D", "E"])
def test_batch_norm_folds_into_the_convolutions_exactly(configuration: str, tmp_path: Path) -> None:
    torch.manual_seed(3)
    theirs = torchvision.models.vgg.make_layers(torchvision.models.vgg.cfgs[configuration], batch_norm=True).eval()
    for module in theirs.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.running_mean, module.bias):
                nn.init.normal_(tensor, std=0.3)
            for tensor in (module.running_var, module.weight):
                nn.init.uniform_(tensor, 0.4, 2.0)
        elif isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    found = read_checkpoint(saved(theirs.state_dict(), tmp_path / "bn.pth"))
    ours = build(found.architecture)
    ours.load_state_dict(found.trunk)
    photo = torch.rand(1, 3, 64, 64, dtype=torch.float64)
    with torch.no_grad():
        expected, answer = theirs.double()(photo), ours[1:].double()(photo)
    assert found.batch_norm and expected.std() > 0.1
    assert (answer - expected).norm() < 1e-6 * expected.norm()


@pytest.mark.parametrize("name", ["vgg11", "vgg13", "vgg16", "vgg19"])
def test_the_numbers_of_the_convolutions_are_torchvisions(name: str, tmp_path: Path) -> None:
    for batch_norm in (False, True):
        state = slim(network(name + "_bn" * batch_norm).features)
        found = read_checkpoint(saved(state, tmp_path / "features.pth"))
        assert (found.architecture.name, found.batch_norm) == (name.upper(), batch_norm)
        if not batch_norm:
            layer = found.architecture.find("conv5_2")
            assert torch.equal(found.trunk["conv5_2.weight"], state[f"{layer.index}.weight"])
