"""The launch agent of one installation, made from the plist in launchd/. Pure."""

from __future__ import annotations

import plistlib
from typing import TYPE_CHECKING, Any, Final
from xml.parsers.expat import ExpatError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmgwctl.service.manager import Wanted

LABEL: Final = "dev.llmgw.llmgwd"
NAME: Final = f"{LABEL}.plist"


def agent(template: str, wanted: Wanted, log_path: str) -> str:
    """Write the plist for this installation."""
    job: dict[str, Any] = plistlib.loads(template.encode())
    job["ProgramArguments"] = [wanted.llmgwd]
    job["EnvironmentVariables"] = dict(sorted(wanted.environment.items()))
    job["StandardOutPath"] = job["StandardErrorPath"] = log_path
    job["Sockets"] = {name: sockets(wanted.listen) for name in job["Sockets"]}
    return plistlib.dumps(job, sort_keys=False).decode()


def sockets(listen: Sequence[str]) -> list[dict[str, str]]:
    """Turn addresses as a status has them into what launchd.plist(5) has under Sockets."""
    found = []
    for address in listen:
        host, _, port = address.rpartition(":")
        found.append(
            {
                "SockNodeName": host.strip("[]"),
                "SockServiceName": port,
                "SockFamily": "IPv6" if host.startswith("[") else "IPv4",
                "SockType": "stream",
            }
        )
    return found


def listen_of(text: str) -> list[str]:
    """Give the addresses a plist listens on, as a status has them; none of one that is not ours."""
    try:
        return [
            f"[{each['SockNodeName']}]:{each['SockServiceName']}"
            if each.get("SockFamily") == "IPv6"
            else f"{each['SockNodeName']}:{each['SockServiceName']}"
            for group in _job(text).get("Sockets", {}).values()
            for each in group
        ]
    except (LookupError, TypeError, AttributeError):
        return []


def program_of(text: str) -> str:
    """Give the program a plist starts; "" of one that is not ours."""
    try:
        return str(_job(text)["ProgramArguments"][0])
    except (LookupError, TypeError):
        return ""


def _job(text: str) -> dict[str, Any]:
    try:
        job = plistlib.loads(text.encode())
    except (ValueError, ExpatError):
        return {}
    return job if isinstance(job, dict) else {}
