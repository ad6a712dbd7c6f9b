"""What a report takes out of a text, and what it leaves in."""

from __future__ import annotations

import base64
import json

import pytest

from llmgwctl.rules.disguise import Person, disguise

ODD = 'Tr0ub4dor&3 "quoted"\\é'
JANE = Person(
    "jane",
    "/home/jane",
    "janes-thinkpad",
    {
        "LITELLM_MASTER_KEY": ODD,
        "AUTH": "yes",
        "PATH": "/usr/local/bin",
        "PGPASSWORD": "hunter22",
        "HTTPS_PROXY": "http://jane:pr0xy%2Fword@proxy.lan:3128",
    },
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
        ("proxy said pr0xy/word or pr0xy%2Fword", "proxy said [secret] or [secret]"),
        (f"in base64 {base64.b64encode(b'hunter22xy').decode()}", "in base64 [secret]MjJ4eQ=="),
        ("no form at all: aB3dE5fG7hJ9kL1mN2pQ", "no form at all: [secret]"),
        ("0123456789abcdef0123456789abcdef", "[secret]"),
        ("A1B2C3D4E5F6a7b8.gr7.eks.corp.io:443", "host-1:443"),
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
        "gke_Team-1_europe-west1_Prod-2, arn:aws:eks:eu-central-1:123456789012:cluster/Prod",
        f"sha256:{'24a6' * 16}, uid 0b7e9d52-51a5-4f6e-9a53-3f1f6a2b7c11",
        "litellm-7d9f8c6b5d-x2abc, litellm-deployment-production-6c9bb7b9f4-8zk2p",
    ],
)
def test_what_a_fault_is_understood_by_stays(text: str) -> None:
    assert disguise(text, JANE) == text


def test_the_account_of_a_container_is_no_one() -> None:
    root = Person("root", "/", "", {})

    assert disguise("root in / at the root", root) == "root in / at the root"
