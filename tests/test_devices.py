"""Which device is chosen, on machines with GPUs that are none of this one's."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torchvision  # noqa: F401  # before the GPU is made up: it takes torch's functions apart
from shell import Call

from wct.devices import choose_device, has_kernels
from wct.errors import UsageError

BUILT = ["sm_75", "sm_80", "sm_90a", "sm_120", "compute_120"]


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """One GPU of a generation, and a torch that is built for some."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _index: request.param)
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: BUILT)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    for flag in ("allow_tf32", "deterministic"):
        monkeypatch.setattr(torch.backends.cudnn, flag, getattr(torch.backends.cudnn, flag))


@pytest.mark.parametrize("gpu", [(7, 5), (8, 0), (8, 9), (9, 0), (12, 1), (13, 0)], indirect=True)
@pytest.mark.usefixtures("gpu")
def test_a_gpu_that_torch_is_built_for_is_chosen() -> None:
    assert choose_device().type == choose_device("auto").type == choose_device("cuda").type == "cuda"


@pytest.mark.parametrize("gpu", [(5, 2), (7, 0), (10, 0)], indirect=True)
@pytest.mark.usefixtures("gpu")
def test_a_gpu_that_torch_has_no_kernels_for_is_left_alone_and_refused_by_name() -> None:
    assert choose_device("auto").type == "cpu"
    for name in ("cuda", "cuda:0"):
        with pytest.raises(UsageError, match=r"no kernels for it, only for sm_75.*choose cpu"):
            choose_device(name)
    with pytest.raises(UsageError, match="not there"):
        choose_device("cuda:1")


@pytest.mark.parametrize("gpu", [(5, 2)], indirect=True)
@pytest.mark.usefixtures("gpu")
def test_doctor_says_why_a_gpu_is_not_used(call: Call, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    about = SimpleNamespace(name="Maxwell", total_memory=2**32)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _index: about)
    found = call("doctor", tiny_folder, "--json")
    assert found.status == 0 and b"stylises on cpu" in found.out
    assert b"Maxwell, 4 GiB, not used: this torch has no kernels for it" in found.out


@pytest.mark.parametrize("gpu", [(5, 2)], indirect=True)
@pytest.mark.usefixtures("gpu")
def test_generations_are_not_compared_on_amd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "hip", "6.2")
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: ["gfx90a"])
    assert has_kernels(0)
