"""One file on disk: read, written whole or not at all, kept beside itself as it first was."""

from __future__ import annotations

import os
import tempfile

from llmgwctl.errors import ClientError
from llmgwctl.rules import regular_file

# The file as it first was, and what `setup` has set in it since.
BACKUP, RECORD = ".llmgw-backup", ".llmgw-setup.json"
# What holds keys of a person's own, as a settings file may, no one else may read.
_NEW_MODE = 0o600


def read(path: str) -> str | None:
    """Give the text with its line ends as they are, or None where there is no file.

    Raises:
        ClientError: it cannot be read.
    """
    try:
        return regular_file.read(path).decode("utf-8")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ClientError("file-unreadable", f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ClientError("file-unreadable", f"{path} is not UTF-8 text") from error


def check_writable(path: str) -> None:
    """Refuse a file that its owner has made read-only.

    Raises:
        ClientError: it is.
    """
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return
    if not mode & 0o200:
        raise ClientError(
            "file-unwritable",
            f"{path} is read-only",
            "chmod u+w, or take what --print shows",
        )


class Outrun(ClientError):
    """Another program wrote the file after it was read; nothing of its text is lost."""

    def __init__(self, path: str) -> None:
        message = f"{path} is being written by another program"
        super().__init__("file-changes", message, "close the program that writes it, and try again")


def replace(path: str, before: str | None, after: str) -> None:
    """Write a file that still holds what was read of it.

    Between the last look and the replacement another writer's text can still be lost: there is
    no lock that the programs share.

    Raises:
        Outrun: it holds something else by now.
        ClientError: as `write`.
    """
    if read(path) != before:
        raise Outrun(path)
    write(path, after)


def write(path: str, text: str) -> None:
    """Replace the file that a path (or the link there) names; its mode stays.

    Raises:
        ClientError: it cannot be written, as where nix owns it.
    """
    real = os.path.realpath(path)
    try:
        os.makedirs(os.path.dirname(real), mode=0o700, exist_ok=True)
        mode = os.stat(real).st_mode & 0o777 if os.path.exists(real) else _NEW_MODE
        descriptor, draft = tempfile.mkstemp(dir=os.path.dirname(real), prefix=".llmgw-")
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        with open(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        os.chmod(draft, mode)
        os.replace(draft, real)
    except OSError as error:
        os.unlink(draft)
        raise _unwritable(path, error) from error


def remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: str, error: OSError) -> ClientError:
    return ClientError(
        "file-unwritable",
        f"{path} cannot be written: {error.strerror}",
        "where another program owns the file, give it what --print shows",
    )
