"""The weights' file on the Hugging Face Hub: in its cache, or downloaded when somebody asks for it."""

from pathlib import Path

from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url, try_to_load_from_cache

from cnnvis.errors import WeightsError

HUB_REPO = "timm/vgg16.tv_in1k"
HUB_FILE = "model.safetensors"
HUB_REVISION = "3394518cba29aee1ea82a49d971be90d2dd1dab7"


def cached_file() -> Path | None:
    """The file in the Hub's cache, if it is there."""
    try:
        path = try_to_load_from_cache(HUB_REPO, HUB_FILE, revision=HUB_REVISION)
    except OSError:  # treat an unreadable cache as none
        return None
    return Path(path) if isinstance(path, str) else None


def download() -> Path:
    """Download the file into the Hub's cache. Raises WeightsError."""
    try:
        # Ask once, without retries: hf_hub_download alone takes 23 s to report that there is no network.
        get_hf_file_metadata(hf_hub_url(HUB_REPO, HUB_FILE, revision=HUB_REVISION))
        return Path(hf_hub_download(HUB_REPO, HUB_FILE, revision=HUB_REVISION))
    except Exception as error:  # the Hub client's, the disk's, the HTTP library's, Xet's: they share no base class
        raise WeightsError(
            f"weights file {HUB_FILE!r} of {HUB_REPO} could not be downloaded ({type(error).__name__}): "
            "check the connection and try again, or unset CNNVIS_WEIGHTS to use the bundled file."
        ) from error
