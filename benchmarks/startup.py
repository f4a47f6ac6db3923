"""How long until the server answers, beside `import mcp.server` alone: `python benchmarks/startup.py [ROUNDS]`.

Whole processes in turn; the server's time runs from its start to its answer to the client's first request.
"""

import json
import subprocess
import sys
import tempfile
import time
from statistics import median

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "startup", "version": "1"}},
}


def bare_s() -> float:
    """Return the seconds that the import of the SDK's server takes as a process."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import mcp.server"], check=True)
    return time.perf_counter() - began


def server_s() -> float:
    """Return the seconds until a new server with a new state folder has answered."""
    with tempfile.TemporaryDirectory() as state:
        command = [sys.executable, "-m", "edgewright.server", "serve", "--state-folder", state]
        began = time.perf_counter()
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
            assert server.stdin is not None
            assert server.stdout is not None
            server.stdin.write(json.dumps(INITIALIZE).encode() + b"\n")
            server.stdin.flush()
            answer = json.loads(server.stdout.readline())
            taken = time.perf_counter() - began
            server.stdin.close()
    assert answer["id"] == 1
    return taken


def measure(rounds: int) -> tuple[list[float], list[float]]:
    """Return both times of each round, taken in turn after one round that does not count."""
    bare_s(), server_s()
    pairs = [(bare_s(), server_s()) for _ in range(rounds)]
    return [bare for bare, _ in pairs], [server for _, server in pairs]


if __name__ == "__main__":
    bare, server = measure(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
    ratios = [s / b for s, b in zip(server, bare, strict=True)]
    print(f"import mcp.server {median(bare):.3f} s, server answers after {median(server):.3f} s (medians)")
    print(f"ratio: median {median(ratios):.2f}, fastest of both {min(server) / min(bare):.2f}, rounds {len(ratios)}")
