"""What a report takes out of a text, and what it leaves in."""

from __future__ import annotations

import json

import pytest

from llmgwctl.rules.disguise import Person, disguise

ODD = 'Tr0ub4dor&3 "quoted"\\é'
JANE = Person(
    "jane",
    "/home/jane",
    "janes-thinkpad",
    {"LITELLM_MASTER_KEY": ODD, "AUTH": "yes", "PATH": "/usr/local/bin", "PGPASSWORD": "hunter22"},
)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Bearer abcdefgh", "[secret]"),
        ("sk-abcdefgh and hunter22 and yes", "[secret] and [secret] and yes"),
        (f"the key is {ODD}", "the key is [secret]"),
        (json.dumps({"key": ODD}), '{"key": "[secret]"}'),
        (json.dumps({"key": ODD}, ensure_ascii=False), '{"key": "[secret]"}'),
        ("https://jane:pw@llm.corp.example:8443/v1", "https://[secret]@host-1:8443/v1"),
        (
            "http://gateway/health, http://localhost:4000",
            "http://host-1/health, http://localhost:4000",
        ),
        ("cannot reach api.corp.example:6443", "cannot reach host-1:6443"),
        ("10.1.2.3:443, 10.1.2.3 and 10.1.2.30", "host-1:443, host-1 and host-2"),
        ("to [2001:db8::1]:443 from [::1]:4000", "to [host-1]:443 from [::1]:4000"),
        ("no such host: api.eks.corp.example", "no such host: host-1"),
        ("jane@corp.example, janet and jane", "account-1, janet and this-account"),
        ("/home/jane/.kube/config on janes-thinkpad", "~/.kube/config on this-machine"),
        ("x.internal.lan then http://x.internal.lan", "host-1 then http://host-1"),
        ("a.b.corp.io and b.corp.io:1", "host-1 and host-2:1"),
    ],
)
def test_secrets_hosts_and_people_are_taken_out(text: str, left: str) -> None:
    assert disguise(text, JANE) == left


@pytest.mark.parametrize(
    "text",
    [
        '"version": "0.1.0", "python": "CPython 3.11.7", "system": "Linux 6.12.0-1.el9.x86_64"',
        "llmgwd.cluster.target.resolve raised in asyncio.base.events",
        "pod litellm-7d9f-abc of service/litellm in namespace team-a, context homelab",
        "127.0.0.1:4000 and ::1 at 2026-11-26T18:47:19.123Z",
        "client.authentication.k8s.io/v1, config.toml:5, /usr/lib/python3/site.py",
        "POST /v1/chat/completions 200 in 0.5 s",
    ],
)
def test_what_a_fault_is_understood_by_stays(text: str) -> None:
    assert disguise(text, JANE) == text


def test_the_account_of_a_container_is_no_one() -> None:
    root = Person("root", "/", "", {})

    assert disguise("root in / at the root", root) == "root in / at the root"
