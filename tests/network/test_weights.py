"""The weights: where they come from, which files are refused, and the one network that all callers share."""

import copy
import hashlib
import json
import os
import pickle
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import torch
import torchvision
from helpers.checkpoints import network, refusal, slim
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from cnnvis.errors import SettingError, WeightsError
from cnnvis.network import usual, weights
from cnnvis.network.architecture import CONVOLUTIONS, find_layer
from cnnvis.network.vgg import VGG16, cut
from cnnvis.network.weights import BUNDLED, load_vgg16, pick_device, read_weights

State = dict[str, Tensor]


@pytest.fixture(scope="module")
def stored() -> State:
    """The bundled file's 26 tensors as stored, in float16."""
    return load_file(BUNDLED)


@pytest.fixture
def another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The bundled file under another name, chosen as the weights: a network that no other test has loaded."""
    path = tmp_path / "another.safetensors"
    path.symlink_to(BUNDLED)
    monkeypatch.setenv("CNNVIS_WEIGHTS", str(path))
    return path


# The bundled file


@pytest.mark.parametrize("choice", ["", "  "])
def test_the_bundled_file_holds_the_published_values(choice: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNVIS_WEIGHTS", choice)
    state, origin = read_weights()
    kernel = [[-0.553731, 0.142705, 0.528962], [-0.583124, 0.356551, 0.765662], [-0.690221, -0.0480189, 0.484092]]
    biases = [0.403388, 0.377794, 0.464362]
    for ours, truth in ((state["features.0.weight"][0, 0], kernel), (state["features.0.bias"][:3], biases)):
        torch.testing.assert_close(ours, torch.tensor(truth), rtol=2**-11, atol=0)  # what float16 rounds away
    assert sum(tensor.numel() for tensor in state.values()) == 14_714_688
    assert {tensor.dtype for tensor in state.values()} == {torch.float32}
    assert (origin.source, origin.path, origin.stored_as, origin.full) == ("bundled", BUNDLED, "float16", False)


def test_the_bundled_file_states_its_licence() -> None:
    licence = BUNDLED.with_name("LICENSE-vgg16.txt").read_text(encoding="utf-8")
    with safe_open(BUNDLED, framework="pt") as file:
        assert "BSD-3-Clause" in file.metadata()["about"]
    assert "Soumith Chintala" in licence
    assert hashlib.sha256(BUNDLED.read_bytes()).hexdigest() in licence


def test_a_damaged_bundled_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pointer = tmp_path / "vgg16_features.safetensors"
    pointer.write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:1799d0093a34\nsize 29431896\n", encoding="utf-8"
    )
    monkeypatch.setattr(weights, "BUNDLED", pointer)
    with pytest.raises(WeightsError, match="is only a Git LFS pointer: fetch the file itself"):
        read_weights()
    pointer.write_bytes(BUNDLED.read_bytes()[:1000])
    with pytest.raises(WeightsError, match=r"truncated, damaged or .*: restore it from the repository"):
        read_weights()


# The network


def test_layers_equal_torchvisions_bit_for_bit(vgg16: VGG16, features: nn.Sequential) -> None:
    net = copy.deepcopy(vgg16).to(memory_format=torch.contiguous_format)
    photo = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    normal = torchvision.transforms.functional.normalize(photo, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    with torch.no_grad():
        for name in ("conv1_1", "relu3_3", "conv5_1", "pool5"):
            theirs = features[: find_layer(name).index + 1](normal.clone())
            assert torch.equal(cut(net, name)(photo), theirs), name


def test_a_loaded_network_is_ready_for_use(another: Path) -> None:
    before = torch.random.get_rng_state()
    net = load_vgg16("cpu")
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not net.training and not any(module.training for module in net.modules())
    assert not any(parameter.requires_grad for parameter in net.parameters())
    assert all(getattr(net, name).weight.is_contiguous(memory_format=torch.channels_last) for name in CONVOLUTIONS)
    assert net.origin.path == another and "another.safetensors" in repr(net)


def test_a_network_loaded_in_inference_mode_still_gives_gradients(another: Path) -> None:
    with torch.inference_mode():
        net = load_vgg16("cpu")
    photo = torch.rand(1, 3, 32, 32, requires_grad=True)
    (gradient,) = torch.autograd.grad(cut(net, "conv3_1")(photo).mean(), photo)
    assert gradient.abs().sum() > 0


def test_threads_that_load_together_read_the_file_once(another: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = Mock(wraps=hashlib.file_digest)
    monkeypatch.setattr(hashlib, "file_digest", digest)
    together = threading.Barrier(8)

    def visitor(_: int) -> int:
        together.wait()
        return id(load_vgg16("cpu"))

    with ThreadPoolExecutor(8) as pool:
        nets = set(pool.map(visitor, range(8)))
    assert len(nets) == digest.call_count == 1


@pytest.mark.parametrize("there", [True, False])
def test_only_an_existing_device_can_be_picked(there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: int(there))
    assert pick_device() == torch.device("cuda" if there else "cpu")
    assert pick_device(torch.device("cpu")) == torch.device("cpu")
    if there:
        assert pick_device("cuda:0") == torch.device("cuda", 0)
    for absent in ("cuda:1", "toaster", "") if there else ("cuda", "cuda:0", torch.device("cuda")):
        with pytest.raises(SettingError, match=r"device .* choose one of .*cpu"):
            pick_device(absent)


# The user's own file


def test_the_origin_names_the_file_without_its_folder(another: Path) -> None:
    _, origin = read_weights()
    sha256 = hashlib.sha256(BUNDLED.read_bytes()).hexdigest()
    expected = {"source": "file", "file": another.name, "sha256": sha256, "stored_as": "float16"}
    expected |= {"full": False, "classes": 0, "batch_norm": False, "network": ""}
    assert json.loads(json.dumps(origin.as_dict())) == expected
    assert str(origin) == f"file another.safetensors, float16, sha256 {sha256[:12]}"


def test_the_origin_says_which_of_two_networks_was_taken(
    stored: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, averaged = tmp_path / "ema.pth", {key: tensor * 2 for key, tensor in stored.items()}
    torch.save({"epoch": 3, "model": stored, "model_ema": averaged}, path)
    monkeypatch.setenv("CNNVIS_WEIGHTS", str(path))
    state, origin = read_weights()
    assert torch.equal(state["features.0.bias"], stored["features.0.bias"].float())
    assert origin.as_dict()["network"] == "model.features"
    assert str(origin).startswith("file ema.pth, float16, the first of its networks: model.features, sha256 ")


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_a_pth_file_of_torchvision_can_be_read(
    zipped: bool, stored: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "vgg16.pth"
    torch.save(slim(network("vgg16")) | stored, path, _use_new_zipfile_serialization=zipped)
    monkeypatch.setenv("CNNVIS_WEIGHTS", str(path))
    state, origin = read_weights()
    assert state.keys() == stored.keys() and origin.full
    assert all(torch.equal(state[key], tensor.float()) for key, tensor in stored.items())


def test_tensors_do_not_change_when_the_file_is_overwritten(
    stored: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "vgg16.safetensors"
    save_file({key: tensor.float() for key, tensor in stored.items()}, path)
    monkeypatch.setenv("CNNVIS_WEIGHTS", str(path))
    state, origin = read_weights()
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))
    assert origin.stored_as == "float32"
    assert all(torch.equal(state[key], tensor.float()) for key, tensor in stored.items())


@pytest.mark.parametrize("folder", ["~", "$WEIGHTS", "${WEIGHTS}"])
def test_the_path_may_begin_as_in_a_shell(folder: str, another: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "WEIGHTS"):
        monkeypatch.setenv(name, str(another.parent))
    monkeypatch.setenv("CNNVIS_WEIGHTS", f" {folder}/{another.name} ")
    assert read_weights()[1].path == another
    folders = {"SHELF": usual.shelf_folder, "ATLAS": usual.atlas_folder, "CONCEPTS": usual.concepts_folder}
    for name, given in folders.items():
        monkeypatch.setenv(f"CNNVIS_{name}", f" {folder}/mine ")
        assert given() == another.parent / "mine"


# Refused files


def test_a_missing_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("missing.safetensors", "missing.pth", "Hub"):
        sentence = refusal(tmp_path / name, monkeypatch)
        assert "does not exist: name another in CNNVIS_WEIGHTS, or unset it" in sentence


@pytest.mark.parametrize("kind", ["safetensors", "zip", "legacy"])
def test_a_truncated_file_is_refused(kind: str, stored: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "weights"
    if kind == "safetensors":
        save_file(stored, path)
    else:
        torch.save(stored, path, _use_new_zipfile_serialization=kind == "zip")
    os.truncate(path, path.stat().st_size // 2)
    assert "truncated, damaged" in refusal(path, monkeypatch)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"bias": None}, "has no features.0.bias"),
        ({"weight": torch.zeros(64, 3, 5, 5)}, "has features.0.weight of shape (64, 3, 5, 5), not (64, 3, 3, 3)"),
        ({"bias": torch.zeros(63)}, "has features.0.bias of shape (63,), not (64,)"),
        ({"bias": torch.full((64,), torch.nan)}, "values in features.0.bias that are not finite numbers"),
        ({"bias": torch.full((64,), 1e300, dtype=torch.float64)}, "values in features.0.bias"),
        ({"weight": torch.zeros(64, 3, 3, 3, dtype=torch.int8)}, "is quantised (features.0.weight is int8): save"),
        ({"weight": torch.zeros(64, 3, 1, 1), "bias": torch.zeros(63)}, "features.0.weight of shape (64, 3, 1, 1)"),
    ],
)
def test_a_wrong_tensor_is_refused_by_name(
    changes: State, words: str, suffix: str, stored: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"weights{suffix}"
    changed = stored | {f"features.0.{part}": tensor for part, tensor in changes.items()}
    kept = {key: tensor for key, tensor in changed.items() if tensor is not None}
    (save_file if suffix == ".safetensors" else torch.save)(kept, path)
    assert words in refusal(path, monkeypatch)


class Malicious:
    """A pickle that creates a file when it is loaded."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("kind", ["zip", "legacy", "plain pickle"])
def test_a_malicious_pickle_is_not_run(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, mark = tmp_path / "weights.pth", tmp_path / "executed"
    state = {"features.0.weight": Malicious(mark)}
    if kind == "plain pickle":
        path.write_bytes(pickle.dumps(state))
    else:
        torch.save(state, path, _use_new_zipfile_serialization=kind == "zip")
    assert re.search("holds more than tensors|damaged", refusal(path, monkeypatch))
    assert not mark.exists()
    torch.load(path, weights_only=False) if kind != "plain pickle" else pickle.loads(path.read_bytes())
    assert mark.exists(), "this file is harmless even when it is unpickled"
