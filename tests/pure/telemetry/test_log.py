"""The log and its redactor: what a line looks like, and what can never be in one."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
import structlog

from llmgwctl.wire import State
from llmgwd.telemetry.log import RotatedFile, processors
from llmgwd.telemetry.redaction import redact, register

SECRETS = {
    "a key": "it said sk-abcdefgh12345 to me",
    "a bearer token": "Authorization: Bearer abc.def-ghi",
    "a web token": "token eyJhbGciOiJSUzI1NiIs.eyJpc3MiOiJrdWJlcm5l.c2lnbmF0dXJl",
    "a url's password": "proxy http://ada:hunter22@proxy:3128 failed",
    "a private key": "-----BEGIN RSA PRIVATE KEY-----\nMIIabc\n-----END RSA PRIVATE KEY-----",
}
PARTS = ("abcdefgh", "def-ghi", "eyJpc3Mi", "hunter22", "MIIabc")


def _line(log_format: str, event: str, **fields: object) -> str:
    output = io.StringIO()
    logger = structlog.wrap_logger(structlog.WriteLogger(output), processors=processors(log_format))
    logger.warning(event, **fields)
    return output.getvalue()


@pytest.mark.parametrize("log_format", ["console", "json", "journal"])
@pytest.mark.parametrize("what", SECRETS)
def test_no_format_writes_what_looks_like_a_secret(log_format: str, what: str) -> None:
    line = _line(log_format, f"said {SECRETS[what]}", said=SECRETS[what])

    assert not [part for part in PARTS if part in line]
    assert "[secret]" in line


@pytest.mark.parametrize("log_format", ["console", "json", "journal"])
def test_a_registered_value_is_blanked_out_wherever_it_appears(log_format: str) -> None:
    register("correct horse battery")

    line = _line(log_format, "x", said="my correct horse battery staple")

    assert "horse" not in line


def test_only_plain_values_are_written_of_anything_else_its_kind() -> None:
    line = json.loads(
        _line(
            "json",
            "odd",
            body=b"sk-secretsecret",
            headers={"Authorization": "Bearer secret"},
            state=State.READY,
            took_s=1.23456,
            none=None,
            pods=("a", "b"),
        )
    )

    assert line["body"] == "<bytes>"
    assert line["headers"] == "<dict>"
    assert line["state"] == "ready"
    assert line["took_s"] == 1.235
    assert line["pods"] == "a, b"
    assert "none" not in line


def test_a_traceback_passes_the_redactor_too() -> None:
    try:
        raise ValueError("bad key sk-abcdefgh12345")
    except ValueError as error:
        line = _line("journal", "bug", exc_info=error)

    assert "abcdefgh" not in line
    assert "ValueError: bad key [secret]" in line


def test_journald_gets_the_priority_in_front_of_each_line() -> None:
    assert _line("journal", "route lost", forward="a", said="x y\nz") == (
        '<4>route lost forward=a said="x y\n<4>z"\n'
    )


def test_ordinary_words_are_left_alone() -> None:
    text = "The bearer of task sk-1 came over http://localhost:4000/v1, short: abc"
    register("abc")

    assert redact(text).endswith("came over http://localhost:4000/v1, short: abc")


def test_a_log_file_is_private_and_rotated(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "llmgwd.log"
    file = RotatedFile(path, limit_bytes=10)

    for line in ("aaaaaa\n", "bbbbbb\n", "cccccc\n"):
        file.write(line)
    file.flush()

    assert path.read_text() == "cccccc\n"
    assert (tmp_path / "logs" / "llmgwd.log.1").read_text() == "bbbbbb\n"
    assert path.stat().st_mode & 0o777 == 0o600
