"""SSH servers on loopback for tests that need a real connection: this machine's own, and an emulated ARM64 one (root).

Each lives in a private mount namespace and ends with whoever started it.
"""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

FOREIGN = Path(__file__).parent / "foreign_binaries.py"
CONFIGURATION = """
Port {port}
ListenAddress 127.0.0.1
HostKey {keys}/host
AuthorizedKeysFile {keys}/id.pub
PidFile none
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
"""
# sshd refuses a chroot below a folder that others may write to.
CHROOT = Path("/srv/edgewright-arm64")
# What pytorch/cpuinfo, inside both runtimes, needs to recognise an ARM core; it crashes on an x86 listing
# (pytorch/cpuinfo issue 76). The form is that of the arm64 kernel, arch/arm64/kernel/cpuinfo.c; 0xd08 is a Cortex-A72.
CPUINFO = "".join(
    f"processor\t: {number}\nBogoMIPS\t: 108.00\nFeatures\t: fp asimd evtstrm crc32 cpuid\n"
    "CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: 0xd08\nCPU revision\t: 3\n\n"
    for number in range(2)
)
# QEMU 7.2 emulates its `max` processor where nobody names another, and computes XNNPACK's INT8 kernels for SME wrongly
# (`max,sme=off` is right, as every real core's name is). Its one setting is an environment variable, which the probe is
# not given, so each Python that lacks it starts once more.
CORE = "cortex-a72"
REAL_CORE = f"""import os, sys
if os.environ.get("QEMU_CPU") != "{CORE}":
    os.environ["QEMU_CPU"] = "{CORE}"
    os.execv(sys.executable, sys.orig_argv)
"""


@dataclass(frozen=True)
class SshServer:
    """A server at work.

    Attributes:
        port: Where it listens on loopback.
        keys: Folder with its `host` key and the `id` that may log in.
        process: The server.
    """

    port: int
    keys: Path
    process: psutil.Process

    @property
    def fingerprint(self) -> str:
        """Of its host key."""
        shown = subprocess.run(
            ["ssh-keygen", "-lf", self.keys / "host.pub"], capture_output=True, text=True, check=True
        )
        return shown.stdout.split()[1]

    def sessions(self) -> list[psutil.Process]:
        """Everything that runs on behalf of a connection."""
        found: list[psutil.Process] = self.process.children(recursive=True)
        return found


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


def make_key(path: Path) -> None:
    """Make a key pair without a passphrase."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)


@contextmanager
def ssh_server(keys: Path, port: int, *, small_mib: int = 0) -> Iterator[SshServer]:
    """Serve this machine; with `small_mib`, its `/var/tmp` is a disk of that size for whoever logs in."""
    prepare = f"mount -t tmpfs -o size={small_mib}m none /var/tmp" if small_mib else "true"
    with _serving(keys, port, ["unshare", "--mount", "sh", "-c", f"{prepare} && exec {_sshd(keys, port)}"]) as server:
        yield server


@contextmanager
def arm64_server(tree: Path, keys: Path, port: int) -> Iterator[SshServer]:
    """Serve an unpacked arm64 Debian, whose programs run under QEMU: real results, meaningless times.

    Args:
        tree: The folder that `tests/system/arm64_tree` has filled.
        keys: Folder for the keys.
        port: Where to listen on loopback.
    """
    CHROOT.mkdir(parents=True, exist_ok=True)
    keys.mkdir(exist_ok=True)
    (keys / "cpuinfo").write_text(CPUINFO, encoding="ascii")
    (keys / "sitecustomize.py").write_text(REAL_CORE, encoding="ascii")
    steps = [f"mount --bind {tree} {CHROOT}"]
    steps += [f"mount --rbind /{name} {CHROOT}/{name}" for name in ("proc", "sys", "dev")]
    steps += [f"mount --bind {keys}/cpuinfo {CHROOT}/proc/cpuinfo"]
    steps += [f"mount --bind {keys}/sitecustomize.py {CHROOT}/etc/python3.11/sitecustomize.py"]
    extra = f"ChrootDirectory {CHROOT}\nSetEnv QEMU_CPU={CORE}\n"
    serve = " && ".join([*steps, f"exec {_sshd(keys, port, extra)}"])
    with _serving(keys, port, [sys.executable, str(FOREIGN), "sh", "-c", serve]) as server:
        yield server


def _sshd(keys: Path, port: int, extra: str = "") -> str:
    keys.mkdir(exist_ok=True)
    for name in ("host", "id"):
        if not (keys / name).exists():
            make_key(keys / name)
    configuration = keys / "sshd_config"
    configuration.write_text(CONFIGURATION.format(port=port, keys=keys) + extra, encoding="utf-8")
    return f"/usr/sbin/sshd -D -e -f {configuration}"


@contextmanager
def _serving(keys: Path, port: int, command: list[str]) -> Iterator[SshServer]:
    Path("/run/sshd").mkdir(exist_ok=True)  # its privilege separation wants it
    started = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", *command], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        assert started.stderr
        said = ""
        while "listening on" not in said:
            said = started.stderr.readline()
            assert said, f"the SSH server ended with {started.wait()}"
        yield SshServer(port, keys, psutil.Process(started.pid))
    finally:
        everything = [psutil.Process(started.pid), *psutil.Process(started.pid).children(recursive=True)]
        for process in everything:
            process.kill()
        started.communicate()
