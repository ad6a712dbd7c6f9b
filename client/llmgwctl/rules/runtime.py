"""What this program runs on: versions of llmgw, Python, the system and the libraries."""

from __future__ import annotations

import platform
import re
from typing import TYPE_CHECKING

from llmgwctl import __version__

if TYPE_CHECKING:
    from llmgwctl.wire import Runtime


def runtime() -> Runtime:
    """Look; it reads a file of each library."""
    return {
        "version": __version__,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": _system(),
        "libraries": _libraries(),
    }


def _system() -> str:
    kernel = f"{platform.system()} {platform.release()} {platform.machine()}"
    if platform.system() == "Darwin":
        return f"{kernel}, macOS {platform.mac_ver()[0]}"
    try:
        return f"{kernel}, {platform.freedesktop_os_release()['PRETTY_NAME']}"
    except (OSError, KeyError):
        return kernel


def _libraries() -> dict[str, str]:
    """Give those that are installed of what llmgw and its extras for users depend on."""
    from importlib import metadata

    try:
        needed = metadata.requires("llmgw") or []
    except metadata.PackageNotFoundError:
        return {}
    found: dict[str, str] = {}
    for requirement in needed:
        name = re.match(r"[\w.-]+", requirement)
        if name is None or re.search(r"extra == .(?:test|bench)", requirement):
            continue
        try:
            found[name[0]] = metadata.version(name[0])
        except metadata.PackageNotFoundError:
            continue
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))
