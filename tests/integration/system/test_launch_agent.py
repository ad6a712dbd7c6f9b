"""The launch agent, before a launchctl whose jobs end slowly, as those of launchd do."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmgwctl.errors import ClientError
from llmgwctl.service.launchd import Launchd
from llmgwctl.service.launchd_agent import NAME, listen_of
from llmgwctl.service.manager import Wanted

# `bootout` returns while the job still ends (EINPROGRESS), and `bootstrap` fails until it has.
LAUNCHCTL = """#!/bin/sh
cd "{folder}"
echo "$@" >> calls
case $1 in
    print) test -e loaded && printf 'state = running\\n\\tpid = 4711\\n' ;;
    bootstrap) test ! -e loaded || exit 5; cp "$3" loaded ;;
    bootout) (sleep 0.3; rm loaded) >/dev/null 2>&1 & exit 36 ;;
    kickstart|enable) : ;;
    *) exit 64 ;;
esac
"""
WANTED = Wanted(
    llmgwd="/opt/llmgw/bin/llmgwd",
    llmgwctl="/opt/llmgw/bin/llmgwctl",
    environment={"PATH": "/usr/bin:/bin"},
    listen=("127.0.0.1:4000",),
)


@pytest.fixture
def launchd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Launchd:
    program = tmp_path / "launchctl"
    program.write_text(LAUNCHCTL.format(folder=tmp_path))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return Launchd(str(tmp_path / "home"))


def test_a_changed_agent_is_loaded_when_the_old_one_has_ended(
    launchd: Launchd, tmp_path: Path
) -> None:
    first = launchd.install(WANTED, is_current=False)
    again = launchd.install(WANTED, is_current=True)
    upgraded = launchd.install(WANTED, is_current=False)

    moved = launchd.install(WANTED._replace(listen=("127.0.0.1:4001",)), is_current=False)

    assert [said[-1] for said in (first, moved)] == ["started", "started"]
    assert again[-1] == "left running: it is this version already"
    assert upgraded[-1] == "restarted, its ports kept open all the while"
    assert listen_of((tmp_path / "loaded").read_text()) == ["127.0.0.1:4001"]
    assert launchd.state().is_running


def test_uninstalling_leaves_neither_agent_nor_log(launchd: Launchd, tmp_path: Path) -> None:
    launchd.install(WANTED, is_current=False)
    Path(launchd.log_path).write_text("")

    said = launchd.uninstall()

    assert said == [
        "stopped and disabled",
        f"removed {launchd.path}",
        f"removed {launchd.log_path}",
    ]
    assert [path for path in (tmp_path / "home").rglob("*") if "llmgw" in path.name] == []
    assert not (tmp_path / "loaded").exists()
    assert not launchd.state().is_installed


def test_what_launchctl_refuses_is_said_with_its_reason(launchd: Launchd, tmp_path: Path) -> None:
    (tmp_path / "launchctl").write_text("#!/bin/sh\necho 'Input/output error' >&2; exit 5\n")

    with pytest.raises(ClientError, match=r"launchctl enable .*: Input/output error"):
        launchd.install(WANTED, is_current=False)

    assert (tmp_path / "home" / "Library" / "LaunchAgents" / NAME).is_file()
