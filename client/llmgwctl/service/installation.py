"""Which llmgwd belongs to this llmgwctl, and whether its installation will last."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING, NamedTuple

from llmgwctl.errors import ClientError
from llmgwctl.rules import regular_file

if TYPE_CHECKING:
    from collections.abc import Mapping


class Installation(NamedTuple):
    """Absolute paths; `kind` in words; `doubt` says why it may not last, empty where it will."""

    llmgwd: str
    llmgwctl: str
    kind: str
    doubt: str


# Part of the path of what was resolved; what it is; why it will not last.
_KINDS = (
    ("/uv/archive-v0/", "uvx, which keeps nothing", "uv removes it from its cache"),
    ("/pipx/.cache/", "pipx run, which keeps nothing", "pipx removes it after some days"),
    ("/pipx/venvs/", "pipx", ""),
    ("/uv/tools/", "uv tool", ""),
    ("/nix/store/", "nix", ""),
    ("/Cellar/", "Homebrew", ""),
)
# Paths with a version in them: a newer one gets another, and the old one is collected.
_VERSIONED = ("/nix/store/", "/Cellar/")
_TEMPORARY = ("/tmp/", "/var/tmp/", "/private/tmp/", "/private/var/folders/")  # noqa: S108


def find(
    argv0: str = sys.argv[0],
    executable: str = sys.executable,
    environ: Mapping[str, str] = os.environ,
) -> Installation:
    """Find the daemon next to the program that was called, else next to its interpreter.

    Raises:
        ClientError: there is none.
    """
    llmgwd = _sibling("llmgwd", argv0, executable)
    if llmgwd is None:
        raise ClientError(
            "llmgwd-missing",
            f"there is no llmgwd next to {argv0 or executable}",
            "install the whole package, for example: pipx install llmgw",
        )
    llmgwd = _lasting(llmgwd, environ.get("PATH", ""))
    llmgwctl = os.path.join(os.path.dirname(llmgwd), "llmgwctl")
    kind, doubt = judge(llmgwd, os.path.realpath(llmgwd), environ)
    return Installation(llmgwd, llmgwctl, kind, doubt)


def judge(path: str, real_path: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """Say how it was installed, and why it may not last."""
    for part, kind, doubt in _KINDS:
        if part in real_path or part in path:
            return kind, doubt
    tree = _source_tree(path)
    if tree is not None:
        return "a source tree", f"it is part of {tree}"
    folders = (*_TEMPORARY, f"{environ['TMPDIR'].rstrip('/')}/" if environ.get("TMPDIR") else "")
    if any(folder and path.startswith(folder) for folder in folders):
        return "a virtual environment", "it is in a temporary folder"
    return "a virtual environment" if _is_venv(path) else "this system", ""


def _sibling(name: str, argv0: str, executable: str) -> str | None:
    # On Linux and macOS, argv[0] is the whole path of a program found through PATH; of `python -m`
    # it is a file of the package.
    folders = [
        os.path.dirname(os.path.abspath(argv0)) if argv0 else "",
        os.path.dirname(executable),
    ]
    # Behind pipx' and uv's links.
    folders.insert(1, os.path.dirname(os.path.realpath(argv0)) if argv0 else "")
    for folder in filter(None, folders):
        path = os.path.join(folder, name)
        if os.access(path, os.X_OK) and os.path.isfile(path):
            return path
    return None


def _lasting(path: str, search_path: str) -> str:
    """Prefer the profile's link to a path with a version in it."""
    real_path = os.path.realpath(path)
    if not any(part in real_path for part in _VERSIONED):
        # The target of pipx' and uv's links: a link may be removed.
        return path
    for folder in search_path.split(os.pathsep):
        linked = shutil.which("llmgwd", path=folder) if os.path.isabs(folder) else None
        is_other = linked is not None and not any(part in linked for part in _VERSIONED)
        if linked is not None and is_other and os.path.realpath(linked) == real_path:
            return linked
    return path


def _is_venv(path: str) -> bool:
    return os.path.isfile(os.path.join(os.path.dirname(os.path.dirname(path)), "pyvenv.cfg"))


def _source_tree(path: str) -> str | None:
    """Give the folder of a checkout of llmgw that this path is in."""
    folder = os.path.dirname(path)
    while folder != os.path.dirname(folder):
        folder = os.path.dirname(folder)
        try:
            if 'name = "llmgw"' in regular_file.read_text(os.path.join(folder, "pyproject.toml")):
                return folder
        except OSError:
            continue
    return None
