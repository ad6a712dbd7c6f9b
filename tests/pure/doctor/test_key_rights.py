"""Whether a key is the master key, by the gateway's answer to GET /key/info."""

from __future__ import annotations

import json
import subprocess

import pytest

from llmgwctl.wire import CheckState
from llmgwd.doctor.key_rights import rights
from llmgwd.gateway.answer import Answer

ADDRESS = "localhost:4000"
NOT_FOUND = {"error": {"message": "Key not found in database", "type": "not_found_error"}}
NO_DATABASE = {
    "error": {
        "message": "Internal Server Error, Database not connected. Connect a database",
        "type": "internal_server_error",
    }
}


def answer(status: int, body: object) -> Answer:
    return Answer(status, {}, json.dumps(body).encode())


def test_a_key_without_a_record_is_the_master_key_and_a_way_to_a_lesser_one_is_given() -> None:
    found = rights(answer(404, NOT_FOUND), ADDRESS)

    assert found.state is CheckState.INFO
    assert "master key" in found.found
    assert "make one with a budget" in found.cause
    assert "http://localhost:4000/key/generate" in found.remedy
    assert '"max_budget": 20' in found.remedy


def test_the_command_shows_no_key_in_any_command_line_and_writes_it_for_the_user_alone() -> None:
    """Run it, with curl and llmgwctl played: curl prints what it was given."""
    remedy = rights(answer(404, NOT_FOUND), ADDRESS).remedy
    script = f"""
    set -e; HOME=$(mktemp -d)
    llmgwctl() {{ echo sk-the-master-key; }}
    curl() {{ echo "ARGUMENTS $*" >&2; read -r header; echo "HEADER $header" >&2
      echo '{{"key": "sk-a-new-one"}}'; }}
    jq() {{ [ "$1 $2" = "-r .key" ] && echo sk-a-new-one; }}
    {remedy}
    cat "$HOME/.config/llmgw/key"; stat -c %a "$HOME/.config/llmgw/key"
    """

    ended = subprocess.run(
        ["bash", "-c", script.replace("read -r header", "header=$(cat)")],
        capture_output=True,
        text=True,
        check=True,
    )

    assert ended.stdout == "sk-a-new-one\n600\n"
    arguments, header = ended.stderr.splitlines()[0], ended.stderr.splitlines()[-1]
    assert "sk-the-master-key" not in arguments
    assert header == "HEADER Authorization: Bearer sk-the-master-key"


def test_without_a_database_there_is_no_other_key() -> None:
    found = rights(answer(500, NO_DATABASE), ADDRESS)

    assert found.state is CheckState.INFO
    assert "master key" in found.found
    assert "database_url" in found.remedy


@pytest.mark.parametrize(
    ("budget", "words"),
    [(10.0, "with a budget of $10"), (0.5, "with a budget of $0.5"), (None, "without a budget")],
)
def test_a_key_with_a_record_is_one_of_its_own(budget: float | None, words: str) -> None:
    found = rights(answer(200, {"key": "hash", "info": {"max_budget": budget}}), ADDRESS)

    assert words in found.found
    assert found.remedy == ""


@pytest.mark.parametrize(
    ("status", "body"),
    [(404, {"detail": "Not Found"}), (200, []), (200, {"info": None}), (403, "no"), (500, None)],
)
def test_what_another_service_knows_is_left_open(status: int, body: object) -> None:
    assert rights(answer(status, body), ADDRESS).found == "the gateway does not say"
