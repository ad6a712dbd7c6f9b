"""The files of a service: as the package has them, put in their place, and taken away again."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from llmgwctl.errors import ClientError
from llmgwctl.rules import regular_file

if TYPE_CHECKING:
    from collections.abc import Sequence

_PACKAGED = Path(__file__).resolve().parent.parent / "units"
# An editable installation: the files are where the source tree has them.
_SOURCE_TREE = Path(__file__).resolve().parents[3]


class File(NamedTuple):
    path: str
    text: str


def template(folder: str, name: str) -> str:
    """Read `systemd/llmgwd.service`, `launchd/dev.llmgw.llmgwd.plist` and so on."""
    for root in (_PACKAGED, _SOURCE_TREE):
        path = root / folder / name
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise FileNotFoundError(f"{name} is not in this installation of llmgw")


def installed(path: str) -> str:
    """Read an installed file; "" where none can be read (a masked unit is a device)."""
    try:
        return regular_file.read_text(path)
    except OSError:
        return ""


def write(file: File) -> bool:
    """Write a file whole or not at all; False: it was as wanted already."""
    if installed(file.path) == file.text:
        return False
    folder = os.path.dirname(file.path)
    try:
        os.makedirs(folder, exist_ok=True)
        number, temporary = tempfile.mkstemp(prefix=".llmgw-", dir=folder)
        with open(number, "w", encoding="utf-8") as new:
            new.write(file.text)
        os.chmod(temporary, 0o644)
        os.replace(temporary, file.path)
    except OSError as error:
        raise ClientError(
            "not-written", f"{file.path} cannot be written: {error.strerror}", "check its folder"
        ) from error
    return True


def remove(path: str) -> bool:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    return True


def refuse_foreign(files: Sequence[File]) -> None:
    """Refuse to change what another program manages.

    Raises:
        ClientError: a file is a link, as Home Manager and stow make them.
    """
    for file in files:
        if os.path.islink(file.path):
            target = os.path.realpath(file.path)
            owner = "Home Manager" if target.startswith("/nix/store/") else "a link of yours"
            raise ClientError(
                "foreign-unit",
                f"{file.path} is managed by {owner} ({target})",
                "change or remove it there",
            )
