"""The unit files and the plist that come with the package, as texts."""

from __future__ import annotations

from pathlib import Path

_PACKAGED = Path(__file__).resolve().parent.parent / "units"
# An editable installation: the files are where the source tree has them.
_SOURCE_TREE = Path(__file__).resolve().parents[3]


def template(folder: str, name: str) -> str:
    """Read `systemd/llmgwd.service`, `launchd/dev.llmgw.llmgwd.plist` and so on."""
    for root in (_PACKAGED, _SOURCE_TREE):
        path = root / folder / name
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise FileNotFoundError(f"{name} is not in this installation of llmgw")
