"""What the read-mes name is there: files, folders, links, the floors, the wheel's units."""

from __future__ import annotations

import ast
import re
import tomllib
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest
from readme_files import READMES, ROOT, anchors, code_lines, links, spans

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
DAEMON = ROOT / "daemon" / "README.md"
SVG = "{http://www.w3.org/2000/svg}"

each_readme = pytest.mark.parametrize(
    "readme", READMES, ids=[str(path.relative_to(ROOT)) for path in READMES]
)


def test_every_folder_has_its_readme() -> None:
    there = {str(path.relative_to(ROOT)) for path in READMES if path.name == "README.md"}

    folders = ("daemon", "client", "systemd", "launchd", "tests")
    assert there == {"README.md", *(f"{folder}/README.md" for folder in folders)}


@each_readme
def test_every_link_leads_to_a_file_and_a_heading(readme: Path) -> None:
    broken = []
    for link in links(readme.read_text()):
        name, _, anchor = link.partition("#")
        path = readme.parent / name if name else readme
        if not path.exists() or (anchor and anchor not in anchors(path)):
            broken.append(link)

    assert broken == []


@each_readme
def test_every_path_in_it_exists(readme: Path) -> None:
    text = readme.read_text()
    words = [*spans(text), *(word for line in code_lines(text) for word in line.split())]

    missing = [word for word in words if _is_path(word, readme) and not _exists(word, readme)]

    assert missing == []


@each_readme
def test_every_file_that_it_names_without_a_folder_exists(readme: Path) -> None:
    named = {
        each
        for each in spans(readme.read_text())
        if re.fullmatch(r"\w[\w.]*\.(?:py|toml|service|socket|plist)", each)
    }

    assert {each for each in named if not any(ROOT.glob(f"[!.]*/**/{each}"))} - {
        "pyproject.toml"
    } == set()


def test_the_floors_are_those_that_are_checked() -> None:
    contract = next(
        each
        for each in PYPROJECT["tool"]["importlinter"]["contracts"]
        if each.get("containers") == ["llmgwd"]
    )
    rows = re.findall(r"^\| (`llmgwd/.+?`) \|", DAEMON.read_text(), re.MULTILINE)
    floors = [re.findall(r"`llmgwd/(\w+)(?:/|\.py)`", row) for row in rows]

    assert floors == [layer.split(" | ") for layer in contract["layers"]]


def test_every_room_says_what_it_owns() -> None:
    rooms = [*ROOT.glob("daemon/llmgw*/**/__init__.py"), *ROOT.glob("client/**/__init__.py")]

    assert len(rooms) > 30
    assert [
        str(room) for room in rooms if ast.get_docstring(ast.parse(room.read_text())) is None
    ] == []


def test_only_the_units_enter_the_wheel() -> None:
    included = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    units = [path for folder in ("systemd", "launchd") for path in (ROOT / folder).iterdir()]

    assert included == {
        str(unit.relative_to(ROOT)): f"llmgwctl/units/{unit.relative_to(ROOT)}"
        for unit in units
        if unit.suffix != ".md"
    }


def test_the_picture_is_of_the_live_view_for_light_and_for_dark() -> None:
    picture = ElementTree.parse(ROOT / ".github" / "live-view.svg").getroot()
    lines = ["".join(each.itertext()) for each in picture.iter(f"{SVG}text")]
    style = picture.findtext(f"{SVG}style", "")

    text_colours = re.findall(r"^text { fill: (#\w{6}) }$", style, re.MULTILINE)
    assert lines[0].startswith("llmgw  ● ready")
    assert any("is being ended" in line for line in lines)
    assert "@media (prefers-color-scheme: dark)" in style
    assert len(set(text_colours)) == 2


def test_no_two_modules_of_the_tests_have_one_name() -> None:
    """Their folders are no packages, so that the whole suite could not be collected."""
    names = Counter(
        path.name
        for path in (ROOT / "tests").rglob("*.py")
        if path.name != "conftest.py" and not (path.parent / "__init__.py").exists()
    )

    assert len(names) > 200
    assert [name for name, count in names.items() if count > 1] == []


def _is_path(word: str, readme: Path) -> bool:
    """Is it a path of this tree? Its first folder stands beside the read-me, or in the root."""
    if not re.fullmatch(r"(?:\.\./)*[\w.-]+(?:/[\w.-]+)*/?", word) or "/" not in word:
        return False
    first = word.partition("/")[0]
    is_ours = any((folder / first).is_dir() for folder in (readme.parent, ROOT))
    return is_ours and first != ".venv" and "NAME" not in word


def _exists(word: str, readme: Path) -> bool:
    return any((folder / word).exists() for folder in (readme.parent, ROOT))
