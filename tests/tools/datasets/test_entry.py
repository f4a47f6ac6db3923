"""What a caller may name, and what becomes of every other path."""

import errno
import hashlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgewright.state.errors import Code, Refusal, Refused
from edgewright.tools.datasets import beneath, entry
from edgewright.tools.datasets.entry import check_path, import_file, list_folder, open_under_roots

KERNEL, WALK = "openat2", "walk"


@pytest.fixture(params=[KERNEL, WALK])
def root(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An allowed root, opened by the kernel's openat2 and, as where it is missing, part by part."""
    if request.param == WALK:
        monkeypatch.setattr(beneath, "open_beneath", beneath._walk)
        monkeypatch.setattr(entry, "open_beneath", beneath._walk)
    folder = tmp_path / "allowed"
    (folder / "sub").mkdir(parents=True)
    (folder / "model.onnx").write_bytes(b"content")
    (folder / "sub" / "data.npz").write_bytes(b"data")
    (tmp_path / "secret").write_bytes(b"secret")
    return folder


def refusal(path: str | Path, *roots: Path) -> Refusal:
    with pytest.raises(Refused) as caught:
        check_path(str(path), tuple(map(str, roots)))
    assert caught.value.refusal.do
    return caught.value.refusal


def test_a_file_and_a_folder_below_a_root_are_opened(root: Path) -> None:
    with open_under_roots(str(root / "sub" / "data.npz"), (str(root),)) as opened:
        assert not opened.is_folder
        assert (opened.read(100), opened.size_bytes) == (b"data", 4)
    with open_under_roots(str(root), (str(root),)) as opened:
        assert opened.is_folder


def test_the_deepest_of_nested_roots_decides(root: Path) -> None:
    check_path(str(root / "sub" / "data.npz"), (str(root), str(root / "sub")))


def test_a_root_with_a_trailing_slash_is_the_same_root(root: Path) -> None:
    check_path(f"{root}//model.onnx", (f"{root}/",))


def test_a_twin_whose_name_begins_like_the_root_is_outside(root: Path) -> None:
    twin = root.with_name("allowed-evil")
    twin.mkdir()
    (twin / "f").write_bytes(b"")
    assert refusal(twin / "f", root).code is Code.PATH_OUTSIDE_ROOTS


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("{root}/../secret", Code.PATH_OUTSIDE_ROOTS),
        ("{root}/sub/../model.onnx", Code.PATH_OUTSIDE_ROOTS),
        ("/etc/passwd", Code.PATH_OUTSIDE_ROOTS),
        ("/", Code.PATH_OUTSIDE_ROOTS),
        ("model.onnx", Code.INVALID_ARGUMENT),
        ("~/model.onnx", Code.INVALID_ARGUMENT),
        ("", Code.INVALID_ARGUMENT),
        ("{root}/model.onnx\0.png", Code.INVALID_ARGUMENT),
        ("{root}/\ud800", Code.INVALID_ARGUMENT),
        ("{root}/missing", Code.NOT_FOUND),
        ("{root}/model.onnx/more", Code.NOT_FOUND),
        ("{root}/" + "a" * 300, Code.NOT_FOUND),
    ],
)
def test_a_path_that_names_nothing_allowed_is_refused_with_its_reason(root: Path, path: str, code: Code) -> None:
    assert refusal(path.format(root=root), root).code is code


def test_without_roots_nothing_may_be_read_and_the_refusal_says_so(root: Path) -> None:
    said = refusal(root / "model.onnx")
    assert (said.code, "configured no `roots`" in said.why) == (Code.PATH_OUTSIDE_ROOTS, True)


def test_a_path_under_a_root_that_is_gone_is_not_found(tmp_path: Path) -> None:
    said = refusal(tmp_path / "gone" / "f", tmp_path / "gone")
    assert (said.code, "operator" in said.do) == (Code.NOT_FOUND, False)


@pytest.mark.parametrize("target", ["inside", "outside", "parent", "dangling"])
def test_no_symbolic_link_is_followed(root: Path, target: str) -> None:
    links = {"inside": root / "model.onnx", "outside": root.parent / "secret", "dangling": root / "nowhere"}
    if target == "parent":
        (root / "link").symlink_to(root / "sub", target_is_directory=True)
        named = root / "link" / "data.npz"
    else:
        named = root / "link"
        named.symlink_to(links[target])
    assert refusal(named, root).code is Code.PATH_IS_LINK


def test_a_link_inside_the_root_to_a_folder_outside_is_refused(root: Path) -> None:
    (root / "out").symlink_to("/etc", target_is_directory=True)
    assert refusal(root / "out" / "passwd", root).code is Code.PATH_IS_LINK


def test_a_hard_link_is_refused_and_a_copy_is_the_way_out(root: Path) -> None:
    os.link(root.parent / "secret", root / "linked")
    said = refusal(root / "linked", root)
    assert (said.code, said.facts["links"], "cp " in said.do) == (Code.PATH_IS_LINK, 2, True)


def test_a_fifo_is_refused_without_waiting_for_a_writer(root: Path) -> None:
    os.mkfifo(root / "pipe")
    assert refusal(root / "pipe", root).code is Code.NOT_A_FILE


def test_a_socket_and_a_device_are_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        monkeypatch.chdir(root)  # a socket's own name is at most 108 bytes long
        listener.bind("s")
    assert refusal(root / "s", root).code is Code.NOT_A_FILE
    assert refusal("/dev/zero", Path("/dev")).code is Code.NOT_A_FILE


def test_the_environment_of_a_process_is_not_a_file_to_import(root: Path) -> None:
    assert refusal("/proc/self/environ", root).code is Code.PATH_OUTSIDE_ROOTS
    assert refusal("/proc/self/environ", Path("/proc")).code is Code.PATH_IS_LINK


def test_a_file_that_the_account_may_not_read_is_refused(root: Path) -> None:
    (root / "model.onnx").chmod(0)
    script = (
        "import os, sys\n"
        "from edgewright.tools.datasets.entry import check_path\n"
        "from edgewright.state.errors import Refused\n"
        "if os.geteuid() == 0: os.seteuid(65534)\n"
        "try: check_path(sys.argv[1], (sys.argv[2],))\n"
        "except Refused as refused: print(refused.refusal.code)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, str(root / "model.onnx"), str(root)],
        check=True,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert ran.stdout.strip() == Code.UNREADABLE


def test_a_folder_is_no_file(root: Path, tmp_path: Path) -> None:
    with pytest.raises(Refused) as caught:
        import_file(str(root / "sub"), (str(root),), tmp_path / "copy")
    assert caught.value.refusal.code is Code.NOT_A_FILE


def test_an_import_returns_the_digest_of_the_bytes_it_copied(root: Path, tmp_path: Path) -> None:
    content = os.urandom(3 * entry.CHUNK_BYTES + 17)
    (root / "model.onnx").write_bytes(content)
    digest = import_file(str(root / "model.onnx"), (str(root),), tmp_path / "copy")
    assert digest == hashlib.sha256(content).hexdigest()
    assert (tmp_path / "copy").read_bytes() == content


def test_a_link_swapped_in_while_paths_are_opened_never_shows_what_lies_outside(root: Path) -> None:
    changing, stop = root / "changing", threading.Event()

    def swap() -> None:
        while not stop.is_set():
            for make in (lambda p: p.write_bytes(b"content"), lambda p: p.symlink_to(root.parent / "secret")):
                fresh = root / "fresh"
                make(fresh)
                fresh.replace(changing)

    swapper = threading.Thread(target=swap)
    swapper.start()
    seen: set[object] = set()
    try:
        for _ in range(2000):
            try:
                with open_under_roots(str(changing), (str(root),)) as opened:
                    seen.add(opened.read(100))
            except Refused as refused:
                seen.add(refused.refusal.code)
    finally:
        stop.set()
        swapper.join()
    assert seen <= {b"content", b"", Code.PATH_IS_LINK, Code.NOT_FOUND}


@pytest.mark.promise("P11")
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_refuses_the_import_and_leaves_no_half_copy(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Refused) as caught:
        import_file(str(root / "model.onnx"), (str(root),), tmp_path / "copy")
    assert caught.value.refusal.code is Code.DISK_FULL
    assert not (tmp_path / "copy").exists()


def test_a_system_without_openat2_opens_part_by_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beneath, "_OPENAT2", 100_000)  # no such system call: ENOSYS
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "f").write_bytes(b"x")
    (tmp_path / "link").symlink_to("sub")
    check_path(str(tmp_path / "sub" / "f"), (str(tmp_path),))
    assert refusal(tmp_path / "link" / "f", tmp_path).code is Code.PATH_IS_LINK


def listing(folder: Path, most: int = 1000) -> tuple[Sequence[str], Sequence[str]]:
    with open_under_roots(str(folder), (str(folder),)) as opened:
        found = list_folder(opened, most)
    return found.files, found.folders


def test_a_listing_is_sorted_and_leaves_hidden_names_out(root: Path) -> None:
    (root / ".DS_Store").write_bytes(b"")
    (root / "a.png").write_bytes(b"")
    assert listing(root) == (("a.png", "model.onnx"), ("sub",))


def test_a_folder_with_too_many_entries_is_refused_before_it_is_read_through(root: Path) -> None:
    for number in range(5):
        (root / f"{number}.png").write_bytes(b"")
    with pytest.raises(Refused) as caught:
        listing(root, most=5)
    assert (caught.value.refusal.code, caught.value.refusal.facts["most"]) == (Code.DATA_INVALID, 5)


@pytest.mark.parametrize("name", [b"a\nb.png", b"a\x1b[2Jb.png", "a\u202egnp.exe".encode(), b"\xff\xfe.png"])
def test_a_name_that_cannot_be_shown_is_refused_and_shown_escaped(root: Path, name: bytes) -> None:
    (root / os.fsdecode(name)).write_bytes(b"")
    with pytest.raises(Refused) as caught:
        listing(root)
    assert caught.value.refusal.code is Code.DATA_INVALID
    assert str(caught.value).isprintable()


def test_a_name_of_255_bytes_is_fine(root: Path) -> None:
    (root / ("a" * 251 + ".png")).write_bytes(b"")
    assert len(listing(root)[0]) == 2


def test_a_link_in_a_listed_folder_is_refused(root: Path) -> None:
    (root / "everything").symlink_to("/", target_is_directory=True)
    with pytest.raises(Refused) as caught:
        listing(root)
    assert caught.value.refusal.code is Code.PATH_IS_LINK


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(st.sampled_from(["..", ".", "", "sub", "data.npz", "secret", "allowed", "/", "\0"]), max_size=6))
def test_whatever_is_named_only_what_lies_below_the_root_is_read(root: Path, parts: list[str]) -> None:
    seen: object = None
    try:
        with open_under_roots(f"{root}/{'/'.join(parts)}", (str(root),)) as opened:
            seen = opened.is_folder or opened.read(100)
    except Refused as refused:
        seen = refused.refusal.code
    assert seen in {True, b"content", b"data", Code.NOT_FOUND, Code.PATH_OUTSIDE_ROOTS, Code.INVALID_ARGUMENT}


def test_the_module_that_the_server_loads_brings_no_heavy_library() -> None:
    script = (
        "import sys, edgewright.tools.datasets.entry; print({'numpy', 'pydantic', 'onnx', 'PIL'} & set(sys.modules))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script],
        check=True,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert ran.stdout.strip() == "set()"
