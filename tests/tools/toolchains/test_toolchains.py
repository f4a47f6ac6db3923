"""Which toolchains are there, and what is said of one that is not."""

import json
import re
from pathlib import Path

import pytest

from edgewright.server import cli
from edgewright.state.errors import Code, Refused
from edgewright.tools.toolchains.table import SAFE, TOOLCHAINS, Toolchains


@pytest.mark.parametrize("name", sorted(TOOLCHAINS))
def test_a_missing_toolchain_is_refused_with_the_line_that_installs_it(name: str, tmp_path: Path) -> None:
    with pytest.raises(Refused) as caught:
        Toolchains(tmp_path).python(name)
    refusal = caught.value.refusal
    assert refusal.code is Code.MISSING_EXTRA
    assert refusal.do == f"have the operator run: edgewright toolchain install {name}"
    assert Toolchains(tmp_path).missing()[name] == f"edgewright toolchain install {name}"


def installed(folder: Path, digest: str) -> None:
    folder.mkdir(parents=True)
    (folder / "installed.json").write_text(json.dumps({"requirements_sha256": digest, "versions": {"torch": "2"}}))


def test_a_toolchain_of_other_pins_counts_as_missing(tmp_path: Path) -> None:
    installed(tmp_path / "torch", "0" * 64)
    assert Toolchains(tmp_path).versions("torch") is None
    installed(tmp_path / "others" / "torch", TOOLCHAINS["torch"].digest)
    assert Toolchains(tmp_path / "others").versions("torch") == {"torch": "2"}
    assert Toolchains(tmp_path / "others").python("torch") == tmp_path / "others/torch/bin/python"


@pytest.mark.parametrize("name", sorted(TOOLCHAINS))
def test_every_package_is_pinned_and_none_names_where_it_comes_from(name: str) -> None:
    lines = [line for line in TOOLCHAINS[name].requirements.splitlines() if not line.startswith("#")]
    assert lines
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[A-Za-z0-9_.]+", line) for line in lines)


def test_pickles_are_closed_wherever_a_toolchain_runs() -> None:
    assert SAFE["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] == "1"


def test_list_and_doctor_say_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in (["toolchain", "list"], ["doctor"]):
        monkeypatch.setattr("sys.argv", ["edgewright", *command, "--state-folder", str(tmp_path)])
        with pytest.raises(SystemExit):
            cli.main()
        said = capsys.readouterr().out
        assert all(f"edgewright toolchain install {name}" in said for name in TOOLCHAINS)
