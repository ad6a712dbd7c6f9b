"""Where the gateway's key comes from."""

from __future__ import annotations

import asyncio
import base64
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from llmgwd.cluster.api_errors import Forbidden, NotFound
from llmgwd.config.key_source import Command, Env, File, KeySource, Secret
from llmgwd.errors import Blocked, Transient
from llmgwd.gateway import key as key_module
from llmgwd.gateway.key import KeyRing, decoded, secrets_by

KEY = "sk-test-0123456789"


class Secrets:
    """A namespace's Secrets by name; an exception in place of one is raised."""

    def __init__(self, **secrets: dict[str, str] | Exception) -> None:
        self.secrets: dict[str, dict[str, str] | Exception] = dict(secrets)
        self.asked: list[str] = []

    async def read(self, name: str) -> Mapping[str, str] | None:
        self.asked.append(name)
        found = self.secrets.get(name)
        if isinstance(found, Exception):
            raise found
        return found


def ring(source: KeySource, secrets: Secrets | None = None, **options: Any) -> KeyRing:
    return KeyRing(source, (secrets or Secrets()).read, lambda _: None, **options)


def take(key_ring: KeyRing) -> key_module.Key:
    return asyncio.run(key_ring.key())


def command(script: str) -> KeySource:
    return Command((sys.executable, "-c", script))


def test_a_variable_of_the_daemon_gives_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_KEY", KEY)

    key = take(ring(Env("GATEWAY_KEY")))

    assert (key.value, key.source) == (KEY, "variable GATEWAY_KEY")


def test_a_missing_variable_tells_that_a_service_has_no_shell() -> None:
    with pytest.raises(Blocked, match="has no GATEWAY_KEY_UNSET") as refused:
        take(ring(Env("GATEWAY_KEY_UNSET")))

    assert refused.value.code == "key-missing"
    assert "shell" in refused.value.remedy


def test_a_file_gives_the_key_without_its_newline(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(KEY + "\n")
    file.chmod(0o600)

    key = take(ring(File(str(file))))

    assert (key.value, key.warning) == (KEY, "")


def test_a_file_that_everybody_can_read_is_used_with_a_warning(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(KEY)
    file.chmod(0o644)

    key = take(ring(File(str(file))))

    assert key.value == KEY
    assert f"chmod 600 {file}" in key.warning


def test_a_changed_file_is_read_afresh(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(KEY)
    keys = ring(File(str(file)))

    async def twice() -> tuple[str, str]:
        first = await keys.key()
        file.write_text("sk-rotated")
        return first.value, (await keys.key()).value

    assert asyncio.run(twice()) == (KEY, "sk-rotated")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (b"one\ntwo\n", "several lines"),
        (b"sk-\xff\xfe", "not text"),
        ("sk-schlüssel".encode(), "signs that no key has"),
        (b"x" * 20_000, "longer than"),
    ],
)
def test_a_file_that_holds_no_key_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "key"
    file.write_bytes(content)

    with pytest.raises(Blocked, match=said):
        take(ring(File(str(file))))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(Blocked, match="No such file") as refused:
        take(ring(File(str(tmp_path / "absent"))))

    assert str(tmp_path / "absent") in refused.value.message


def test_a_command_gives_the_key_and_has_no_input_to_wait_for() -> None:
    key = take(ring(command(f"import sys; assert not sys.stdin.read(); print('{KEY}')")))

    assert key.value == KEY


def test_a_command_that_fails_is_quoted_by_its_last_line() -> None:
    script = "import sys; print('first', file=sys.stderr); sys.exit('sops: no key found')"

    with pytest.raises(Blocked, match="exit status 1: sops: no key found") as refused:
        take(ring(command(script)))

    assert "first" not in refused.value.message


def test_a_command_that_is_not_there_is_named() -> None:
    with pytest.raises(Blocked, match="no-such-program cannot be started: No such file"):
        take(ring(Command(("no-such-program",))))


def test_a_command_that_waits_is_ended_with_all_it_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(key_module, "COMMAND_S", 1.0)
    pids = tmp_path / "pids"
    script = (
        "import os, subprocess, sys, time; child = subprocess.Popen(['sleep', '600']);"
        f"open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}');"
        "print('Touch your key', file=sys.stderr, flush=True); time.sleep(600)"
    )

    with pytest.raises(Blocked, match="did not end within 1 s: Touch your key"):
        take(ring(command(script)))

    for pid in map(int, pids.read_text().split()):
        give_up_at = time.monotonic() + 10
        while is_running(pid):
            assert time.monotonic() < give_up_at
            time.sleep(0.01)


def is_running(pid: int) -> bool:
    """Whether it runs; a killed grandchild may stay a zombie until init takes it."""
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat")
        return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_an_agent_that_a_command_leaves_behind_does_not_hold_the_key_up(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    script = (
        "import subprocess; agent = subprocess.Popen(['sleep', '600']);"
        f"open({str(pid)!r}, 'w').write(str(agent.pid)); print('{KEY}')"
    )

    key = take(ring(command(script)))

    assert key.value == KEY
    agent = int(pid.read_text())
    assert is_running(agent)
    os.kill(agent, 9)


def test_many_who_ask_at_once_run_the_command_once(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    keys = ring(command(f"open({str(runs)!r}, 'a').write('x'); print('{KEY}')"))

    async def at_once() -> set[str]:
        return {key.value for key in await asyncio.gather(*(keys.key() for _ in range(5)))}

    assert asyncio.run(at_once()) == {KEY}
    assert runs.read_text() == "x"


def test_a_forgotten_key_is_asked_for_again() -> None:
    secrets = Secrets(s={"K": KEY})
    keys = ring(Secret("s", "K"), secrets)

    async def rotated() -> list[str]:
        values = [(await keys.key()).value]
        secrets.secrets["s"] = {"K": "sk-rotated"}
        values.append((await keys.key()).value)
        keys.forget()
        values.append((await keys.key()).value)
        return values

    assert asyncio.run(rotated()) == [KEY, KEY, "sk-rotated"]


def test_a_key_in_memory_outlives_a_cluster_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_module, "KEEP_S", 0.0)
    secrets = Secrets(s={"K": KEY})
    keys = ring(Secret("s", "K"), secrets)

    async def away() -> str:
        await keys.key()
        secrets.secrets["s"] = Transient("api-server-unreachable", "Away.")
        return (await keys.key()).value

    assert asyncio.run(away()) == KEY


def test_every_new_value_is_told_to_the_redactor_first() -> None:
    learned: list[str] = []
    secrets = Secrets(s={"K": KEY})

    take(KeyRing(Secret("s", "K"), secrets.read, learned.append))

    assert learned == [KEY]


def test_a_key_does_not_show_in_its_repr() -> None:
    assert KEY not in repr(take(ring(Secret("s", "K"), Secrets(s={"K": KEY}))))


def test_a_missing_secret_offers_what_the_chart_has_put_elsewhere() -> None:
    secrets = Secrets(**{"my-litellm-masterkey": {"masterkey": "random"}})
    keys = ring(
        Secret("litellm-secrets", "LITELLM_MASTER_KEY"),
        secrets,
        namespace="llm",
        release="my-litellm",
    )

    with pytest.raises(Blocked, match="llm has no Secret litellm-secrets") as refused:
        take(keys)

    assert "There is my-litellm-masterkey/masterkey." in refused.value.message
    assert 'secret = "my-litellm-masterkey/masterkey"' in refused.value.remedy


def test_a_secret_without_the_entry_lists_those_it_has() -> None:
    keys = ring(Secret("s", "K"), Secrets(s={"B": "x", "A": "y"}))

    with pytest.raises(Blocked, match=r"no entry K \(it has A, B\)"):
        take(keys)


def test_a_forbidden_secret_names_the_rule_and_the_other_ways() -> None:
    secrets = Secrets(s=Forbidden("permission-denied", "no"))

    with pytest.raises(Blocked, match="may not get the Secret s") as refused:
        take(ring(Secret("s", "K"), secrets))

    assert refused.value.code == "permission-denied"
    assert "resourceNames: [s], verbs: [get, watch]" in refused.value.remedy
    assert "command" in refused.value.remedy


def test_the_entries_of_a_secret_are_text_and_a_missing_one_is_none() -> None:
    async def get(name: str) -> dict[str, Any]:
        if name == "absent":
            raise NotFound("target-missing", "not found")
        return {"data": {"K": base64.b64encode(KEY.encode()).decode()}}

    async def read() -> tuple[object, object]:
        secrets = secrets_by(get)
        return await secrets("s"), await secrets("absent")

    assert asyncio.run(read()) == ({"K": KEY}, None)


def test_entries_that_are_not_text_are_left_out() -> None:
    assert decoded({"data": {"a": "!!", "b": "/w==", "c": "eA=="}}) == {"c": "x"}
    assert decoded({}) == {}
