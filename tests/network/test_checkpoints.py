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
from helpers.checkpoints import headed, network, refusal, slim
from safetensors.torch import save_file
from torch import Tensor, nn

from cnnvis.network.architecture import CONVOLUTIONS, find_layer
from cnnvis.network.checkpoints import read_checkpoint
from cnnvis.network.vgg import build

State = dict[str, Tensor]

VGG16 = slim(network("vgg16"))
TRUNK = {key: tensor for key, tensor in VGG16.items() if key.startswith("features.")}


def renamed(state: Mapping[str, Tensor], old: str, new: str) -> State:
    """The same tensors, with another prefix."""
    return {new + key.removeprefix(old): tensor for key, tensor in state.items()}


def up_to(state: State, last: int) -> State:
    """The convolutions up to number `last` in `features`."""
    return {key: tensor for key, tensor in state.items() if key.startswith("f") and int(key.split(".")[1]) <= last}


def cast(dtype: torch.dtype) -> State:
    """The convolutions in another dtype."""
    return {key: tensor.flatten()[:1].to(dtype).expand(tensor.shape) for key, tensor in TRUNK.items()}


def inside(state: Mapping[str, Tensor], part: str, wrapper: str) -> State:
    """The same tensors, with one part of the network wrapped, as by `model.features = DataParallel(model.features)`."""
    return {key.replace(f"{part}.", f"{part}.{wrapper}."): tensor for key, tensor in state.items()}


def wrapped() -> dict[str, Any]:
    """A checkpoint of torchvision's reference training, or of PyTorch's ImageNet example."""
    moments = {number: {"step": torch.tensor(3.0), "exp_avg": torch.zeros(64, 3, 3, 3)} for number in range(3)}
    optimizer = {"state": moments, "param_groups": [{"lr": 0.1, "params": [0, 1, 2]}]}
    state = renamed(VGG16, "", "module.")
    return {"epoch": 90, "arch": "vgg16", "state_dict": state, "best_acc1": torch.tensor(7.0), "optimizer": optimizer}


COMPILED = inside(inside(VGG16, "features", "_orig_mod"), "classifier", "_orig_mod")
PAIR = renamed(VGG16, "", "student.") | renamed(TRUNK, "", "teacher.")
LOSS = renamed(TRUNK, "features.", "loss.net.vgg.") | {"decoder.weight": torch.zeros(3)}
OTHER_HEAD = {"classifier.0.weight": torch.zeros(2, 25088), "classifier.0.bias": torch.zeros(2)}
# Each of these files can be used.
USED: dict[str, tuple[Any, dict[str, Any]]] = {
    "vgg16.pth": (VGG16, {"name": "VGG16", "classes": 1000}),
    "features-alone.pt": (renamed(TRUNK, "features.", ""), {"name": "VGG16", "classes": 0}),
    "data-parallel.bin": (renamed(VGG16, "", "module."), {"name": "VGG16", "classes": 1000}),
    "lightning.ckpt": ({"epoch": 3, "state_dict": renamed(VGG16, "", "model.")}, {"classes": 1000}),
    "perceptual-loss.pth": (LOSS, {"rest": True}),
    "checkpoint.pth.tar": (wrapped(), {"classes": 1000, "rest": False}),
    "model_state_dict": ({"epoch": 1, "model_state_dict": VGG16}, {"classes": 1000}),
    "nested.model": ({"checkpoint": {"model": {"weights": VGG16}}}, {"classes": 1000}),
    "parameters.pth": ({key: nn.Parameter(tensor) for key, tensor in TRUNK.items()}, {"name": "VGG16"}),
    "half.pth": (cast(torch.float16), {"stored_as": "float16"}),
    "bfloat16.pth": (cast(torch.bfloat16), {"stored_as": "bfloat16"}),
    "double.pth": (cast(torch.float64), {"stored_as": "float64"}),
    "compiled-features.pth": (COMPILED, {"classes": 1000, "rest": False, "network": ""}),
    "parallel-features.pth": (inside(VGG16, "features", "module"), {"classes": 1000}),  # PyTorch's ImageNet example
    "parallel-inside.pth": (renamed(inside(VGG16, "features", "module"), "", "net."), {"classes": 1000}),
    "average.pth": ({"model": VGG16, "model_ema": renamed(VGG16, "", "module.")}, {"network": "model.features"}),
    "distilled.pth": (PAIR, {"network": "student.features", "classes": 1000}),
    "bare-average.pth": ({"ema": {"net": TRUNK}} | renamed(TRUNK, "features.", ""), {"network": "the outermost"}),
    "ten-classes.pth": (headed(VGG16, 10), {"classes": 10, "rest": False}),
    "own-head.pth": (TRUNK | OTHER_HEAD, {"classes": 0, "rest": True}),
    "vgg11.pth": (slim(network("vgg11")), {"name": "VGG11", "classes": 1000}),
    "vgg13_bn.pth": (slim(network("vgg13_bn")), {"name": "VGG13", "batch_norm": True}),
    "vgg16_bn.pth": (slim(network("vgg16_bn")), {"name": "VGG16", "batch_norm": True, "classes": 1000}),
    "vgg19.pth": (slim(network("vgg19")), {"name": "VGG19", "batch_norm": False}),
}

INT8 = r"is quantised \(features.0.weight is int8\): save the network before that, in a floating-point type"
NO_VGG = r"is not a VGG that cnnvis knows: it begins with "
# Each of these is refused by what it is.
REFUSED: dict[str, tuple[Any, str]] = {
    "gray.pth": (TRUNK | {"features.0.weight": torch.zeros(64, 1, 3, 3)}, "has one input channel, not three"),
    "rgbd.pth": (TRUNK | {"features.0.weight": torch.zeros(64, 4, 3, 3)}, "has 4 input channels, not three"),
    "relu4_3.pth": (up_to(TRUNK, 22), "has only 10 of the 13 convolutions of VGG16"),
    "relu4_1.pth": (up_to(slim(network("vgg19")), 19), "has only 9 of the 16 convolutions of VGG19"),
    "meta.pth": (network("vgg16").state_dict(), "values in features.0.weight that are not finite numbers"),
    "resnet50.pth": ({"model": slim(network("resnet50"))}, rf"{NO_VGG}'conv1.weight' of shape \(64, 3, 7, 7\)"),
    "alexnet.pth": (slim(network("alexnet")), NO_VGG + r"'features.0.weight' of shape \(64, 3, 11, 11\)"),
    "squeezenet.pth": (slim(network("squeezenet1_1")), NO_VGG + r"'features.0.weight' of shape \(64, 3, 3, 3\)"),
    "int8.pth": (TRUNK | {"features.0.weight": torch.zeros(64, 3, 3, 3, dtype=torch.int8)}, INT8),
    "optimizer.pth": ({"lr": 0.1, "momentum": torch.zeros(3)}, NO_VGG + r"'momentum' of shape \(3,\)"),
    "list.pth": ([torch.zeros(3)], "holds no named tensors"),
}


def saved(content: Any, path: Path) -> Path:
    """Save with torch, as people do, and return the file."""
    torch.save(content, path)
    return path


@pytest.mark.parametrize("name", USED)
def test_a_checkpoint_as_people_save_it_is_used(name: str, tmp_path: Path) -> None:
    content, expected = USED[name]
    checkpoint = read_checkpoint(saved(content, tmp_path / name))
    architecture, trunk = checkpoint.architecture, checkpoint.trunk
    about = {**vars(checkpoint), "name": architecture.name, "classes": architecture.classes}
    assert {key: about[key] for key in expected} == expected
    assert bool(checkpoint.classifier) == bool(architecture.classes)
    assert {(tensor.dtype, tensor.requires_grad) for tensor in trunk.values()} == {(torch.float32, False)}
    assert len(trunk) == 2 * len(architecture.convolutions)
    if architecture.name == "VGG16" and checkpoint.stored_as == "float32" and not checkpoint.batch_norm:
        keys = {f"{layer}.weight": f"features.{find_layer(layer).index}.weight" for layer in CONVOLUTIONS}
        assert all(torch.equal(trunk[ours], VGG16[theirs]) for ours, theirs in keys.items())


@pytest.mark.parametrize("name", REFUSED)
def test_an_unusable_file_is_refused_by_what_it_is(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content, words = REFUSED[name]
    sentence = refusal(saved(content, tmp_path / name), monkeypatch)
    assert re.search(words, sentence)
    assert "name another in CNNVIS_WEIGHTS" in sentence or "is quantised" in sentence


# Files that hold no dictionary of tensors


def archived(path: Path) -> None:
    """A tar archive, as the suffix promises."""
    with tarfile.open(path, "w") as archive:
        archive.add(__file__, "weights.pth")


def scripted(path: Path) -> None:
    torch.jit.trace(MODEL, torch.zeros(1, 3, 8, 8)).save(str(path))


def quantised(path: Path) -> None:
    """A network after PyTorch's static quantisation."""
    weight = torch.quantize_per_tensor(torch.ones(64, 3, 3, 3), 0.1, 0, torch.qint8)
    torch.save(TRUNK | {"features.0.weight": weight}, path)


WHOLE_MODEL = r"is a whole model, not just its weights: save its state_dict\(\)"
ONNX = b"\x08\x08\x12\x07pytorch\x1a\x052.7.0" + bytes(100)
INDEX = b'{\n  "metadata": {}, "weight_map": {"features.0.weight": "model-00001-of-00002.safetensors"}\n}'
WITH_NUMBER = {"state_dict": TRUNK, "best": np.float64(0.7)}
MODEL = nn.Sequential(nn.Conv2d(3, 4, 3))
# Either content, or a function that makes the file.
FILES: dict[str, tuple[bytes | Callable[[Path], object], str]] = {
    "whole.pth": (lambda path: torch.save({"epoch": 1, "model": MODEL}, path), WHOLE_MODEL),
    "legacy.pth": (lambda path: torch.save(MODEL, path, _use_new_zipfile_serialization=False), WHOLE_MODEL),
    "scripted.pt": (scripted, r"is a TorchScript archive: save its state_dict\(\)"),
    "number.pth": (lambda path: torch.save(WITH_NUMBER, path), r"holds more than tensors \(numpy.*scalar\): save its"),
    "vgg16.h5": (b"\x89HDF\r\n\x1a\n" + bytes(90), r"is a Keras \(HDF5\) file: save"),
    "vgg16.onnx": (ONNX, "is an ONNX model: save the network as a PyTorch state_dict"),
    "vgg16.npz": (lambda path: np.savez(path, a=np.zeros(3)), "is a NumPy archive"),
    "archive.zip": (lambda path: zipfile.ZipFile(path, "w").close(), "is a zip archive without weights|truncated"),
    "real.pth.tar": (archived, "is a tar archive: unpack it"),
    "vgg16.pth.gz": (b"\x1f\x8b" + bytes(90), "is compressed with gzip: unpack it"),
    "pointer.pth": (b"version https://git-lfs.github.com/spec/v1\n", "is only a Git LFS pointer: fetch the file"),
    "page.pth": (b"<!DOCTYPE html><html>404</html>", "is a web page, not the file you meant to download"),
    "model.safetensors.index.json": (INDEX, "is only the index of weights in several files: save"),
    "pytorch_model.bin.index.json": (
        INDEX.replace(b'"metadata": {}, ', b""),
        "is only the index of weights in several",
    ),
    "config.json": (b'{\n  "architectures": ["VGG"]\n}', "is a JSON file without weights: name another"),
    "quantised.pth": (quantised, r"is quantised \(features.0.weight is qint8\): save the network before"),
    "vgg16.gguf": (b"GGUF\3\0\0\0" + bytes(90), "is a GGUF file: save the network as a PyTorch state_dict"),
    "text.pth": (b"just words", "is truncated, damaged or not a weights file"),
    "folder": (lambda path: path.mkdir(), "is a folder: name the file in it"),
    "empty.pth": (b"", "is empty"),
}


@pytest.mark.filterwarnings("ignore:.*torch.jit", "ignore:.*quantize")
@pytest.mark.parametrize("name", FILES)
def test_another_format_is_refused_by_its_name(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content, words = FILES[name]
    path = tmp_path / name
    path.write_bytes(content) if isinstance(content, bytes) else content(path)
    assert re.search(words, refusal(path, monkeypatch))


# The values


@pytest.mark.parametrize("suffix", [".safetensors", ".bin"])
def test_a_safetensors_file_is_known_by_its_content(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"weights{suffix}"
    save_file({key: tensor.half().contiguous() for key, tensor in renamed(TRUNK, "", "backbone.").items()}, path)
    checkpoint = read_checkpoint(path)
    assert checkpoint.stored_as == "float16"
    assert torch.equal(checkpoint.trunk["conv5_3.weight"], TRUNK["features.28.weight"].half().float())


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
    checkpoint = read_checkpoint(saved(theirs.state_dict(), tmp_path / "bn.pth"))
    ours = build(checkpoint.architecture)
    ours.load_state_dict(checkpoint.trunk)
    photo = torch.rand(1, 3, 64, 64, dtype=torch.float64)
    with torch.no_grad():
        expected, values = theirs.double()(photo), ours[1:].double()(photo)
    assert checkpoint.batch_norm and expected.std() > 0.1
    assert (values - expected).norm() < 1e-6 * expected.norm()


@pytest.mark.parametrize("name", ["vgg11", "vgg13", "vgg16", "vgg19"])
def test_the_numbers_of_the_convolutions_are_torchvisions(name: str, tmp_path: Path) -> None:
    for batch_norm in (False, True):
        state = slim(network(name + "_bn" * batch_norm).features)
        checkpoint = read_checkpoint(saved(state, tmp_path / "features.pth"))
        assert (checkpoint.architecture.name, checkpoint.batch_norm) == (name.upper(), batch_norm)
        if not batch_norm:
            layer = checkpoint.architecture.find("conv5_2")
            assert torch.equal(checkpoint.trunk["conv5_2.weight"], state[f"{layer.index}.weight"])
