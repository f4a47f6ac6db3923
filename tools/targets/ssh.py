"""The system's OpenSSH, by argument list: how it is called, and what its failures mean.

Nothing of the user's own configuration is read, no unknown host is accepted, nothing is forwarded (ssh_config(5)).
"""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from edgewright.state.errors import Code, Refused
from edgewright.tools.targets.enrolled import Enrolled

CONNECT_S = 5
SCAN_S = 10
COMMAND_NOT_FOUND = (126, 127)  # what a POSIX shell says of a command it cannot find or run

_OPTIONS = MappingProxyType(
    {
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "GlobalKnownHostsFile": "/dev/null",
        "UpdateHostKeys": "no",
        "ConnectTimeout": str(CONNECT_S),
        "ServerAliveInterval": "5",
        "ServerAliveCountMax": "3",
        "ForwardAgent": "no",
        "ClearAllForwardings": "yes",
        "PermitLocalCommand": "no",
        "RequestTTY": "no",
        "LogLevel": "ERROR",
    }
)


def command(target: Enrolled, remote: str) -> list[str]:
    """Return the argument list that runs `remote` on a target."""
    options: dict[str, str] = {**_OPTIONS, "UserKnownHostsFile": target.known_hosts}
    if target.identity:
        options["IdentitiesOnly"] = "yes"
    arguments = ["ssh", "-F", "none", "-p", str(target.port)]
    arguments += ["-i", target.identity] if target.identity else []
    arguments += [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
    return [*arguments, "--", f"{target.user}@{target.host}", remote]


def scan(host: str, port: int) -> str:
    """Return the host keys that a server shows, as lines of a known_hosts file. They prove nothing yet.

    Raises:
        Refused: TARGET_UNREACHABLE, if it shows none.
    """
    arguments = ["ssh-keyscan", "-T", str(CONNECT_S), "-p", str(port), "--", host]
    try:
        ended = subprocess.run(arguments, capture_output=True, text=True, timeout=SCAN_S, check=False)
        keys, said = ended.stdout, ended.stderr
    except subprocess.TimeoutExpired:
        keys, said = "", f"no answer within {SCAN_S} s"
    except FileNotFoundError:
        keys, said = "", "OpenSSH's `ssh-keyscan` is not installed here"
    lines = [line for line in keys.splitlines() if line and not line.startswith("#")]
    if not lines:
        last = next((line for line in reversed(said.splitlines()) if not line.startswith("#")), "it shows no host key")
        raise _unreachable(f"{host}:{port}", last)
    return "\n".join(lines) + "\n"


def fingerprints(host_keys: str) -> Mapping[str, str]:
    """Return the kind of each host key and its fingerprint, `SHA256:...`."""
    ended = subprocess.run(["ssh-keygen", "-l", "-f", "-"], input=host_keys, capture_output=True, text=True, check=True)
    found = re.findall(r"^\d+ (SHA256:\S+) .* \((\S+)\)$", ended.stdout, re.MULTILINE)
    return {kind: fingerprint for fingerprint, kind in found}


def failure(target: Enrolled, status: int, said: Path) -> Refused:
    """Return what it means that `ssh` ended before the far end had answered.

    Args:
        target: Where it was to connect.
        status: Its exit status; 255 is its own, anything else the remote command's.
        said: File with its standard error.
    """
    text = said.read_text(encoding="utf-8", errors="replace") if said.exists() else ""
    last = next((line.strip() for line in reversed(text.splitlines()) if line.strip()), f"ssh ended with {status}")
    if "HOST IDENTIFICATION HAS CHANGED" in text:
        return Refused.because(
            Code.TARGET_KEY_CHANGED,
            f"connecting to {target.alias}",
            f"{target.address} shows another host key than the one that a person accepted: either it was set up anew, "
            "or somebody stands in between",
            f"have a person find out which; then `edgewright target remove {target.alias}` and add it again",
            "P6",
        )
    if "host key is known" in text or "Host key verification failed" in text:
        return Refused.because(
            Code.TARGET_KEY_UNKNOWN,
            f"connecting to {target.alias}",
            f"no host key of {target.address} was accepted by a person",
            f"have a person run `edgewright target remove {target.alias}` and `edgewright target add {target.alias}`",
            "P6",
        )
    if "Permission denied" in text or "Too many authentication failures" in text:
        key = target.identity or "the SSH agent"
        return Refused.because(
            Code.TARGET_DENIED,
            f"logging in to {target.alias}",
            f"{target.address} does not accept the key of {key} ({last})",
            f"have a person put its public half into ~/.ssh/authorized_keys of {target.user} there",
        )
    if status in COMMAND_NOT_FOUND:
        return Refused.because(
            Code.TARGET_UNFIT,
            f"measuring on {target.alias}",
            f"{target.python} is not there ({last})",
            "have a person install Python 3.9 or later there, or enrol the target with --python PATH",
        )
    return _unreachable(f"{target.alias} ({target.address})", last)


def _unreachable(where: str, why: str) -> Refused:
    return Refused.because(
        Code.TARGET_UNREACHABLE,
        f"connecting to {where}",
        why.rstrip("."),
        "switch it on, check its network and SSH server, and call again; the host does not stand in for it",
        "P6",
    )
