"""What runs elsewhere is what runs here: the workflows' steps are commands of this repository."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
import yaml
from readme_files import ROOT

from llmgwctl import __version__

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
# Each is tested: .ci/run by itself, release.py and service.py in tests/service.
COMMANDS = re.compile(
    r"""(?:sudo\ env\ "PATH=\$PATH"\ )?\.ci/run(?P<parts>(?:\ [a-z]+)+)
      | python\ \.ci/release\.py\ notes\ "\$GITHUB_REF_NAME"\ >\ notes\.md
      | python\ \.ci/release\.py\ (?:build|check)\ dist
      | gh\ release\ create\ "\$GITHUB_REF_NAME"\ .+""",
    re.VERBOSE,
)
RUN = (ROOT / ".ci" / "run").read_text()


def steps() -> Iterator[dict[str, str]]:
    for path in WORKFLOWS:
        for job in yaml.safe_load(path.read_text())["jobs"].values():
            yield from job["steps"]


def test_each_step_is_a_command_of_this_repository() -> None:
    commands = [step["run"] for step in steps() if "run" in step]

    found = [COMMANDS.fullmatch(command) for command in commands]
    parts = {part for each in found if each and each["parts"] for part in each["parts"].split()}

    assert [each for each, match in zip(commands, found, strict=True) if match is None] == []
    assert parts == set(re.findall(r"^    (\w+)\) part ", RUN, re.MULTILINE))


def test_each_action_is_pinned_and_the_same_everywhere() -> None:
    texts = "".join(path.read_text() for path in WORKFLOWS)
    used = re.findall(r"uses: (\S+)(.*)", texts)

    assert [each for each, _ in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", each)] == []
    assert [each for each, said in used if not re.fullmatch(r" # v\d+\.\d+\.\d+", said)] == []
    assert len({each for each, _ in used}) == len({each.partition("@")[0] for each, _ in used})


def test_a_commit_is_looked_at_by_the_linters_of_ci() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    lint = RUN.partition("lint() {\n")[2].partition("\n}")[0]

    called = re.findall(r"^  (\.venv/bin/.+?)(?: \.| \.github/\S+\.yml)?$", lint, re.MULTILINE)

    assert len(called) == 9
    assert [hook["entry"] for hook in hooks] == called


@pytest.mark.parametrize(
    ("tag", "is_taken"), [(f"v{__version__}", True), (__version__, False), ("v9.9", False)]
)
def test_a_tag_is_the_version_or_stops_the_release(tag: str, is_taken: bool) -> None:
    command = [sys.executable, ROOT / ".ci" / "release.py", "notes", tag]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (done.returncode == 0) == is_taken
    assert bool(done.stdout.strip()) == is_taken
    assert (f"is not v{__version__}" in done.stderr) == (not is_taken)
