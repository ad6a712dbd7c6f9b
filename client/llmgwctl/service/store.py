"""Puts the files of a service in their place, and takes only its own away."""

from __future__ import annotations

import contextlib
import os
import tempfile
from typing import TYPE_CHECKING

from llmgwctl.errors import ClientError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmgwctl.service.manager import File


def write(file: File) -> bool:
    """Write a file whole or not at all; False: it was as wanted already."""
    with contextlib.suppress(OSError, UnicodeDecodeError), open(file.path, encoding="utf-8") as old:
        if old.read() == file.text:
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
    """Leave alone what another program keeps in place.

    Raises:
        ClientError: a file is a link, as Home Manager and stow make them.
    """
    for file in files:
        if os.path.islink(file.path):
            target = os.path.realpath(file.path)
            owner = "Home Manager" if target.startswith("/nix/store/") else "a link of yours"
            raise ClientError(
                "foreign-unit",
                f"{file.path} is kept by {owner} ({target})",
                "change or remove it there",
            )
