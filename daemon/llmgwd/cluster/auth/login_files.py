"""The files and folders that change at a login: by them the daemon notices it by itself.

Those of the plugins that most clusters use are known. For any other plugin, the folders that a
program of its name keeps are taken; for each, the files that it is given and, if it is a script,
those that it names.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from llmgwctl.rules import regular_file
from llmgwd.cluster.auth.known_plugins import recognise

# Where programs keep their own folders, by their name.
_KEPT_IN: Final = (
    "~/.{name}",
    "~/.config/{name}",
    "~/.cache/{name}",
    "~/.local/share/{name}",
    "~/.kube/cache/{name}",
    "~/Library/Application Support/{name}",
    "~/Library/Caches/{name}",
)
# A path in a shell's or another script's words, from the root, the home or the script's own folder.
_PATH: Final = re.compile(
    r"""(?<![\w:/.~})])
    (?P<start> ~ | \$HOME | \$\{HOME\}
        | "?\$\(\s*dirname\s+"?(?:--\s+)?"?\$0"?\s*\)"? | \$\{0%/\*\} )?
    (?P<rest> (?: /[\w.+@%-]+ )+ )""",
    re.VERBOSE,
)
# A script that looks for its own folder names what is in it by what follows, in quotes.
_OWN_FOLDER: Final = re.compile(r"\$0\b|\$\{0\b|BASH_SOURCE|__file__|__dirname")
_QUOTED_NAME: Final = re.compile(r"""["']/?(\.?\w[\w.+@-]*)["']""")
_NO_FILES: Final = ("/dev/", "/proc/", "/sys/")
_MAX_SCRIPT_BYTES: Final = 64 * 1024
_MAX_NAMED: Final = 32


def login_files(
    command: str, arguments: Sequence[str], environment: Mapping[str, str]
) -> tuple[str, ...]:
    """Files and folders to watch for a login plugin, none twice; few of them need exist.

    Of folders that the plugin was given none is taken: they may be a whole disk.
    """
    known = recognise(command, arguments)
    program = shutil.which(os.path.expanduser(command))
    usual = known.files if known else _by_name(command)
    values = [word.split("=", 1)[-1] for word in arguments]
    values += environment.values()
    given = (value for value in values if value.startswith(("/", "~/")))
    named = () if program is None else _named_in(program)
    own = () if program is None else (program,)
    return tuple(
        dict.fromkeys((*_expanded(usual), *_no_folders(_expanded(given)), *own, *_fit(named)))
    )


def _by_name(command: str) -> Iterator[str]:
    name = os.path.splitext(os.path.basename(command))[0]
    for each in dict.fromkeys((name, name.removeprefix("kubectl-").replace("_", "-"))):
        yield from (kept.format(name=each) for kept in _KEPT_IN)


def _named_in(program: str) -> tuple[str, ...]:
    """The paths that a script names; none for a program that is no script."""
    try:
        text = regular_file.read_start(program, _MAX_SCRIPT_BYTES)
    except OSError:
        return ()
    return paths_in(text.decode("utf-8", "replace"), program) if text.startswith(b"#!") else ()


def paths_in(script: str, program: str) -> tuple[str, ...]:
    """The paths in a script's text, expanded, without its first line. Pure but for the home."""
    _, _, body = script.partition("\n")
    home, folder = os.path.expanduser("~"), os.path.dirname(program)
    found = []
    for match in _PATH.finditer(body):
        start = match["start"] or ""
        base = home if "HOME" in start or start == "~" else folder if start else ""
        found.append(base + match["rest"])
    if _OWN_FOLDER.search(body):
        found += [os.path.join(folder, name) for name in _QUOTED_NAME.findall(body)]
    return tuple(dict.fromkeys(path for path in found if not path.startswith(_NO_FILES)))


def _fit(named: Iterable[str]) -> Iterator[str]:
    """Without folders, except a program's own in the home: many programs may share any other."""
    home = os.path.expanduser("~")
    shared = {home, *(os.path.dirname(os.path.expanduser(kept)) for kept in _KEPT_IN)}
    paths = [
        path
        for path in named
        if not os.path.isdir(path) or (path.startswith(f"{home}/") and path not in shared)
    ]
    yield from paths[:_MAX_NAMED]


def _no_folders(paths: Iterable[str]) -> Iterator[str]:
    return (path for path in paths if not os.path.isdir(path))


def _expanded(paths: Iterable[str]) -> Iterator[str]:
    return (os.path.expanduser(path) for path in paths)
