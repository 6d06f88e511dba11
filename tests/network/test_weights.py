"""The weights: where they come from, which files are refused, and the one network that all callers share."""

import copy
import hashlib
import json
import os
import pickle
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from cnnvis.errors import SettingError, WeightsError
from cnnvis.network import weights
from cnnvis.network.architecture import CONVOLUTIONS, find_layer
from cnnvis.network.vgg import cut
from cnnvis.network.weights import BUNDLED, HUB_REPO, load_vgg16, pick_device, read_weights

Choose = Callable[[object], None]


@pytest.fixture(scope="module")
def stored() -> dict[str, Tensor]:
    """The bundled file's 26 tensors, as stored: in float16."""
    return load_file(BUNDLED)


@pytest.fixture
def choose(monkeypatch: pytest.MonkeyPatch) -> Choose:
    """A function that sets CNNVIS_WEIGHTS."""
    return lambda choice: monkeypatch.setenv("CNNVIS_WEIGHTS", str(choice))


@pytest.fixture
def another(tmp_path: Path, choose: Choose) -> Path:
    """The bundled file under another name, chosen as the weights: no other test has loaded this network."""
    path = tmp_path / "another.safetensors"
    path.symlink_to(BUNDLED)
    choose(path)
    return path


def refusal(path: Path | None = None) -> str:
    """Return the error message of read_weights. Check that it is one plain sentence without a path."""
    with pytest.raises(WeightsError) as caught:
        read_weights()
    sentence = str(caught.value)
    assert path is None or path.name in sentence
    assert "/" not in sentence.replace(HUB_REPO, "")
    assert sentence.endswith(".") and "!" not in sentence and "\n" not in sentence
    return sentence


# The bundled file


def test_the_bundled_file_holds_the_published_values() -> None:
    state, origin = read_weights()
    kernel = torch.tensor(
        [
            [-0.5537306, 0.1427047, 0.5289615],
            [-0.58312404, 0.35655147, 0.76566225],
            [-0.69022113, -0.04801885, 0.48409155],
        ]
    )
    biases = torch.tensor([0.403388, 0.37779424, 0.46436158])
    for found, known in ((state["features.0.weight"][0, 0], kernel), (state["features.0.bias"][:3], biases)):
        torch.testing.assert_close(found, known, rtol=2**-11, atol=0)  # half a step of float16
    assert sum(tensor.numel() for tensor in state.values()) == 14_714_688
    assert {tensor.dtype for tensor in state.values()} == {torch.float32}
    assert (origin.source, origin.path, origin.stored_as, origin.full) == ("bundled", BUNDLED, "float16", False)


def test_the_bundled_file_states_its_licence() -> None:
    licence = BUNDLED.with_name("LICENSE-vgg16.txt").read_text()
    with safe_open(BUNDLED, framework="pt") as file:
        assert "BSD-3-Clause" in file.metadata()["about"]
    assert "Soumith Chintala" in licence
    assert hashlib.sha256(BUNDLED.read_bytes()).hexdigest() in licence


def test_a_blank_choice_means_the_bundled_file(choose: Choose) -> None:
    choose("  ")
    assert read_weights()[1].source == "bundled"


def test_a_damaged_bundled_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pointer = tmp_path / "vgg16_features.safetensors"
    pointer.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:1799d0093a34\nsize 29431896\n")
    monkeypatch.setattr(weights, "BUNDLED", pointer)
    assert "is only a pointer of Git LFS: fetch the file itself" in refusal(pointer)
    pointer.write_bytes(BUNDLED.read_bytes()[:1000])
    assert "truncated, damaged or no weights file" in refusal(pointer)


# The network


def test_layers_equal_torchvisions_bit_for_bit(another: Path) -> None:
    net = copy.deepcopy(load_vgg16("cpu")).to(memory_format=torch.contiguous_format)
    features = torchvision.models.vgg.make_layers(torchvision.models.vgg.cfgs["D"])
    features.load_state_dict({key.removeprefix("features."): tensor for key, tensor in read_weights()[0].items()})
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
    readings = []
    digest = hashlib.file_digest

    def counted(*arguments: Any) -> Any:
        readings.append(arguments)
        return digest(*arguments)

    monkeypatch.setattr(hashlib, "file_digest", counted)
    together = threading.Barrier(8)

    def visitor(_: int) -> int:
        together.wait()
        return id(load_vgg16("cpu"))

    with ThreadPoolExecutor(8) as pool:
        nets = set(pool.map(visitor, range(8)))
    assert len(nets) == 1 and len(readings) == 1


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
    expected |= {"full": False, "classes": 0, "batch_norm": False}
    assert json.loads(json.dumps(origin.as_dict())) == expected
    assert str(origin) == f"file another.safetensors, float16, sha256 {sha256[:12]}"


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_a_pth_file_of_torchvision_can_be_read(
    zipped: bool, stored: dict[str, Tensor], tmp_path: Path, choose: Choose
) -> None:
    path = tmp_path / "vgg16.pth"
    sizes = {0: (4096, 25088), 3: (4096, 4096), 6: (1000, 4096)}
    head = {f"classifier.{number}.weight": torch.zeros(1, 1).expand(size) for number, size in sizes.items()}
    head |= {f"classifier.{number}.bias": torch.zeros(size[0]) for number, size in sizes.items()}
    torch.save(stored | head, path, _use_new_zipfile_serialization=zipped)
    choose(path)
    state, origin = read_weights()
    assert state.keys() == stored.keys() and origin.full
    assert all(torch.equal(state[key], tensor.float()) for key, tensor in stored.items())


def test_tensors_do_not_change_when_the_file_is_overwritten(
    stored: dict[str, Tensor], tmp_path: Path, choose: Choose
) -> None:
    path = tmp_path / "vgg16.safetensors"
    save_file({key: tensor.float() for key, tensor in stored.items()}, path)
    choose(path)
    state, origin = read_weights()
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))
    assert origin.stored_as == "float32"
    assert all(torch.equal(state[key], tensor.float()) for key, tensor in stored.items())


# Refused files


@pytest.mark.parametrize("beginning", ["~", "$WEIGHTS", "${WEIGHTS}"])
def test_the_path_may_begin_as_in_a_shell(
    beginning: str, another: Path, choose: Choose, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HOME", "WEIGHTS"):
        monkeypatch.setenv(name, str(another.parent))
    choose(f" {beginning}/{another.name} ")
    assert read_weights()[1].path == another


@pytest.mark.parametrize("name", ["missing.safetensors", "missing.pth", "Hub"])
def test_a_missing_file_is_refused(name: str, tmp_path: Path, choose: Choose) -> None:
    choose(tmp_path / name)
    assert "does not exist: name another in CNNVIS_WEIGHTS, or unset it" in refusal(tmp_path / name)


@pytest.mark.parametrize("kind", ["safetensors", "zip", "legacy"])
def test_a_truncated_file_is_refused(kind: str, stored: dict[str, Tensor], tmp_path: Path, choose: Choose) -> None:
    path = tmp_path / "weights"
    if kind == "safetensors":
        save_file(stored, path)
    else:
        torch.save(stored, path, _use_new_zipfile_serialization=kind == "zip")
    os.truncate(path, path.stat().st_size // 2)
    choose(path)
    assert "truncated, damaged" in refusal(path)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"bias": None}, "has no features.0.bias"),
        ({"weight": torch.zeros(64, 3, 5, 5)}, "has features.0.weight of shape (64, 3, 5, 5), not (64, 3, 3, 3)"),
        ({"bias": torch.zeros(63)}, "has features.0.bias of shape (63,), not (64,)"),
        ({"bias": torch.full((64,), torch.nan)}, "values in features.0.bias that are not finite numbers"),
        ({"bias": torch.full((64,), 1e300, dtype=torch.float64)}, "values in features.0.bias"),
        ({"weight": torch.zeros(64, 3, 3, 3, dtype=torch.int8)}, "values in features.0.weight"),
        ({"weight": torch.zeros(64, 3, 1, 1), "bias": torch.zeros(63)}, "features.0.weight of shape (64, 3, 1, 1)"),
    ],
)
def test_a_wrong_tensor_is_refused_by_name(
    changes: dict[str, Tensor | None],
    found: str,
    suffix: str,
    stored: dict[str, Tensor],
    tmp_path: Path,
    choose: Choose,
) -> None:
    path = tmp_path / f"weights{suffix}"
    changed = stored | {f"features.0.{part}": tensor for part, tensor in changes.items()}
    kept = {key: tensor for key, tensor in changed.items() if tensor is not None}
    (save_file if suffix == ".safetensors" else torch.save)(kept, path)
    choose(path)
    assert found in refusal(path)


class Malicious:
    """A pickle that creates a file when it is loaded."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("kind", ["zip", "legacy", "plain pickle"])
def test_a_malicious_pickle_is_not_run(kind: str, tmp_path: Path, choose: Choose) -> None:
    path, mark = tmp_path / "weights.pth", tmp_path / "executed"
    state = {"features.0.weight": Malicious(mark)}
    if kind == "plain pickle":
        path.write_bytes(pickle.dumps(state))
    else:
        torch.save(state, path, _use_new_zipfile_serialization=kind == "zip")
    choose(path)
    assert re.search("holds more than tensors|damaged", refusal(path))
    assert not mark.exists()
    torch.load(path, weights_only=False) if kind != "plain pickle" else pickle.loads(path.read_bytes())
    assert mark.exists(), "the file would not have done anything anyway"
