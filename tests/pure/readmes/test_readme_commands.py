"""What the read-mes have a person type, write or apply is taken as they say."""

from __future__ import annotations

import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from readme_files import READMES, ROOT, blocks, code_lines, spans

from llmgwctl.cli.arguments import build, load
from llmgwctl.cli.verbs import DEFAULT_VERB, find
from llmgwctl.gateway.programs.table import PROGRAMS
from llmgwctl.service.systemd_units import values
from llmgwd import __main__ as llmgwd
from llmgwd.config.file import parse
from llmgwd.config.model import ClusterRoute
from llmgwd.doctor.permissions import needs
from llmgwsim import __main__ as llmgwsim
from llmgwsim.faults.calls import Faults

README = (ROOT / "README.md").read_text()
TESTS = (ROOT / "tests" / "README.md").read_text()
SYSTEMD = (ROOT / "systemd" / "README.md").read_text()

each_readme = pytest.mark.parametrize(
    "readme", READMES, ids=[str(path.relative_to(ROOT)) for path in READMES]
)


@each_readme
def test_every_call_of_llmgwctl_is_one_that_its_verb_takes(readme: Path) -> None:
    text = readme.read_text()

    for call in _calls("llmgwctl", [*spans(text), *code_lines(text)]):
        name, words = (call[0], call[1:]) if call else (DEFAULT_VERB, [])
        verb = find(name)
        assert verb is not None, call
        if words and not any(re.search(r"[A-Z]{2}|…", word) for word in words):
            build(verb, load(verb)).parse_args(words)


def test_the_calls_are_found_wherever_they_stand() -> None:
    lines = ['eval "$(llmgwctl env)"', "llmgwctl wait x && claude", "llmgwctl  # a table"]

    assert list(_calls("llmgwctl", lines)) == [["env"], ["wait", "x"], []]


@each_readme
def test_every_call_of_llmgwd_is_one_that_it_takes(readme: Path) -> None:
    text = readme.read_text()

    named = [each for each in spans(text) if re.fullmatch(r"llmgwd [a-z]+", each)]
    for call in _calls("llmgwd", [*named, *code_lines(text)]):
        llmgwd._parser().parse_args(llmgwd._with_command(call))


@each_readme
def test_a_shell_can_read_every_line(readme: Path) -> None:
    script = "\n".join(code_lines(readme.read_text()))

    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


def test_the_two_commands_stand_where_they_are_looked_for() -> None:
    for name in ("demo", "tests"):
        block = re.search(rf"^<!-- {name} -->\n```sh\n(.+)\n```$", README, re.MULTILINE)

        assert block is not None
        assert block[1].startswith("python3 -m venv .venv && .venv/bin/pip install ")


def test_the_configuration_in_the_readme_is_one() -> None:
    (text,) = blocks(README, "toml")

    config = parse(text, "readme.toml")

    assert [forward.name for forward in config.forwards] == ["litellm", "dashboard"]
    assert [forward.injects_key for forward in config.forwards] == [True, False]


def test_the_role_in_the_readme_is_what_the_doctor_asks_for() -> None:
    (role,) = (yaml.safe_load(text) for text in blocks(README, "yaml"))
    granted = {
        (verb, resource, *rule.get("resourceNames", ()))
        for rule in role["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }

    wanted = [need.action for need in needs(ClusterRoute(), "litellm-secrets")]

    assert granted == {
        (
            action.verb,
            action.resource,
            *([action.name] if action.resource in ("secrets", "services") else []),
        )
        for action in wanted
    }
    assert role["metadata"]["namespace"] == ClusterRoute().namespace


def test_every_program_is_named_by_a_name_that_run_and_env_know() -> None:
    table = (ROOT / "client" / "PROGRAMS.md").read_text()
    named = re.findall(r"^\| [^|]+ \| `(\w+)`(?:, once [^|]*)? \|", table, re.MULTILINE)

    assert sorted(named) == sorted(PROGRAMS)


def test_home_managers_units_say_what_ours_say() -> None:
    (nix,) = blocks(SYSTEMD, "nix")
    said = dict(re.findall(r"^      (\w+) = ([^;{]+);$", nix.partition("# macOS")[0], re.MULTILINE))
    units = "".join(
        (ROOT / "systemd" / name).read_text() for name in ("llmgwd.socket", "llmgwd.service")
    )

    made_by_nix = {"ExecStart", "ExecReload", "Environment", "Description"}
    assert len(said) > 15
    assert {key: _nix_values(value) for key, value in said.items() if key not in made_by_nix} == {
        key: values(units, key) for key in said if key not in made_by_nix
    }


def test_every_fault_is_one_of_the_simulated_cluster() -> None:
    rows = re.findall(r"^\| `\w+\.py` \| (.+) \|$", TESTS, re.MULTILINE)
    named = [name for row in rows for name in spans(row)]

    assert len(named) > 30
    assert [name for name in named if not callable(getattr(Faults, name, None))] == []


def test_the_simulated_cluster_takes_the_options_that_it_is_given() -> None:
    (call,) = _calls("llmgwsim", [line for line in code_lines(TESTS) if " -m llmgwsim" in line])

    assert llmgwsim._parser().parse_args(call).rtt == 0.04


def test_every_marker_that_pytest_is_given_is_one_and_no_other_is_missing() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    markers = {
        each.partition(":")[0] for each in pyproject["tool"]["pytest"]["ini_options"]["markers"]
    }
    calls = list(_calls("pytest", code_lines(TESTS)))

    chosen = {
        word
        for call in calls
        if "-m" in call
        for word in re.findall(r"\w+", call[call.index("-m") + 1])
    }

    assert len(calls) > 5
    assert chosen - {"not", "and"} == markers


def _calls(program: str, texts: list[str]) -> list[list[str]]:
    """Give the words after the program's name, of each call of it that stands in the texts."""
    found = re.findall(
        rf"(?:^|[\s/(\"]){program}((?: +[^\s|#&;)>]+)*)(?=$|[\s|#&;)>\"])",
        "\n".join(texts),
        re.MULTILINE,
    )
    return [shlex.split(words.rstrip('"')) for words in found]


def _nix_values(value: str) -> list[str]:
    words = re.findall(r'"([^"]*)"', value) or [value.strip()]
    return [{"true": "yes"}.get(word, word) for word in words]
