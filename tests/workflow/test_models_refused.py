"""Whatever cannot be worked on is refused with its own reason; nothing of it is run, followed or changed."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import refused_models
from mcp import Client
from refused_models import MARKER
from workflow import Connect, demo_arguments, done, refused, state_of

pytestmark = pytest.mark.anyio


def missing(path: Path, outside: Path) -> Path:
    return path


def fifo(path: Path, outside: Path) -> Path:
    os.mkfifo(path)
    return path


def symbolic_link(path: Path, outside: Path) -> Path:
    path.symlink_to(outside)
    return path


def link_to_a_neighbour(path: Path, outside: Path) -> Path:
    path.symlink_to(path.with_name("fashion_mnist_cnn.onnx"))
    return path


def linked_folder(path: Path, outside: Path) -> Path:
    path.symlink_to(outside.parent, target_is_directory=True)
    return path / outside.name


def hard_link(path: Path, outside: Path) -> Path:
    path.hardlink_to(outside)
    return path


def outside_the_roots(path: Path, outside: Path) -> Path:
    return outside


def climbing(path: Path, outside: Path) -> str:
    return f"{path.parent}/../{outside.parent.name}/{outside.name}"


def twin_of_the_root(path: Path, outside: Path) -> Path:
    twin = path.parent.with_name(path.parent.name + "-evil")
    twin.mkdir()
    (twin / "model.onnx").write_bytes(outside.read_bytes())
    return twin / "model.onnx"


def endless_device(path: Path, outside: Path) -> str:
    return "/dev/zero"


def link_to_the_endless_device(path: Path, outside: Path) -> Path:
    path.symlink_to("/dev/zero")
    return path


def secrets_of_the_process(path: Path, outside: Path) -> str:
    return "/proc/self/environ"


def relative(path: Path, outside: Path) -> str:
    return "fashion_mnist_cnn.onnx"


def with_a_nul(path: Path, outside: Path) -> str:
    return f"{path}\0.onnx"


@pytest.mark.promise("P5", "P12")
@pytest.mark.parametrize(
    ("place", "code"),
    [
        (missing, "NOT_FOUND"),
        (fifo, "NOT_A_FILE"),
        (symbolic_link, "PATH_IS_LINK"),
        (link_to_a_neighbour, "PATH_IS_LINK"),
        (linked_folder, "PATH_IS_LINK"),
        (hard_link, "PATH_IS_LINK"),
        (link_to_the_endless_device, "PATH_IS_LINK"),
        (outside_the_roots, "PATH_OUTSIDE_ROOTS"),
        (climbing, "PATH_OUTSIDE_ROOTS"),
        (twin_of_the_root, "PATH_OUTSIDE_ROOTS"),
        (endless_device, "PATH_OUTSIDE_ROOTS"),
        (secrets_of_the_process, "PATH_OUTSIDE_ROOTS"),
        (relative, "INVALID_ARGUMENT"),
        (with_a_nul, "INVALID_ARGUMENT"),
    ],
)
async def test_a_path_that_is_no_file_under_a_root_is_refused_and_starts_no_run(
    connect: Connect, root: Path, tmp_path: Path, place: Callable[[Path, Path], Path | str], code: str
) -> None:
    outside = tmp_path / "outside" / "model.onnx"
    outside.parent.mkdir()
    outside.write_bytes((root / "fashion_mnist_cnn.onnx").read_bytes())
    named = place(root / "model.onnx", outside)
    before = fingerprint(outside)
    async with connect() as client:
        refusal = await refused(client, "profile_model", **demo_arguments(root, model_path=str(named)))
        assert refusal["code"] == code
        assert refusal["why"]
        assert refusal["do"]
        assert await runs(client) == []
    assert fingerprint(outside) == before


@pytest.mark.promise("P5", "P12")
@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        ("text", "MODEL_FORMAT_UNKNOWN", ".onnx"),
        ("archive", "MODEL_FORMAT_UNKNOWN", ".onnx"),
        ("empty", "MODEL_INVALID", "again"),
        ("truncated", "MODEL_INVALID", "again"),
        ("raw_pickle", "MODEL_UNSUPPORTED", "never loaded"),
        ("torch_archive", "MODEL_UNSUPPORTED", "torch.export.save"),
        ("external_data", "MODEL_EXTERNAL_DATA", "one file"),
        ("not_finite", "MODEL_NOT_FINITE", "again"),
        ("custom_operator", "MODEL_UNSUPPORTED", "standard ONNX operators"),
        ("future_opset", "MODEL_UNSUPPORTED", "opset_version"),
    ],
)
async def test_a_file_that_is_no_sound_model_is_refused_with_what_to_do(
    connect: Connect, root: Path, content: str, code: str, said: str
) -> None:
    path = root / "model.onnx"
    getattr(refused_models, content)(path, root / "fashion_mnist_cnn.onnx")
    before = fingerprint(path)
    async with connect() as client:
        refusal = await refused(client, "profile_model", **demo_arguments(root, model_path=str(path)))
        assert refusal["code"] == code
        assert said in refusal["do"]
        await only_a_failed_run_is_left(client, refusal["why"])
    assert fingerprint(path) == before
    assert not (root / MARKER).exists()


@pytest.mark.promise("P12")
async def test_a_folder_is_no_model(connect: Connect, root: Path) -> None:
    async with connect() as client:
        refusal = await refused(client, "profile_model", **demo_arguments(root, model_path=str(root)))
        assert refusal["code"] == "NOT_A_FILE"
        assert await runs(client) == []


@pytest.mark.promise("P5", "P12")
@pytest.mark.parametrize("era", ["legacy"])
async def test_a_pickle_is_refused_unread_by_the_real_server_too(connect: Connect, root: Path, era: str) -> None:
    path = root / "model.pt"
    refused_models.torch_archive(path, root)
    async with connect("stdio", era) as client:
        refusal = await refused(client, "profile_model", **demo_arguments(root, model_path=str(path)))
        assert refusal["code"] == "MODEL_UNSUPPORTED"
        await only_a_failed_run_is_left(client, refusal["why"])
    assert not (root / MARKER).exists()


async def only_a_failed_run_is_left(client: Client, why: str) -> None:
    """The run list shows one run, in PROFILE, with the reason among its blockers and nothing profiled."""
    [listed] = await runs(client)
    run, _, rest = listed.partition(" ")
    assert rest.endswith(", PROFILE)")
    reply = await done(client, "get_state", run=run)
    assert why in reply["summary"].split("blockers: ")[1]
    state = await state_of(client, run)
    assert (state["profiled"], state["job"], state["steps"]) == (None, None, [])


async def runs(client: Client) -> list[str]:
    listed: list[str] = (await done(client, "get_state"))["numbers"]["runs"]
    return listed


def fingerprint(path: Path) -> tuple[str, int]:
    return hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns
