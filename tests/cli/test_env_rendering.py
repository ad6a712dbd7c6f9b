"""llmgwctl env, its pure part: what is set, and how each shell reads it back."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmgwctl.gateway.address import base_url
from llmgwctl.gateway.changes import Change, Wish, changes
from llmgwctl.gateway.programs import avante
from llmgwctl.gateway.programs.program import Endpoint
from llmgwctl.gateway.programs.table import ALL, chosen
from llmgwctl.gateway.shells import SHELLS, default_shell, direnv_line, render
from support.client import golden

KEY = 'sk-it\'s "$HOME" `x` \\ tab\tend'
URL = "http://localhost:4000"

# What a key or a header can hold: anything a variable can, so anything but NUL.
values = st.text(st.characters(codec="utf-8", exclude_characters="\0"))


@pytest.mark.parametrize("shell", SHELLS)
def test_env_for_each_shell_matches_its_golden_file(shell: str) -> None:
    found = changes(chosen(ALL), {}, Endpoint(URL, KEY), Wish())

    text = render(found, shell, notes=avante.notes(URL), command=f"llmgwctl env --shell {shell}")

    assert text == (golden.FOLDER / f"env.{shell}").read_text()


@pytest.mark.parametrize("shell", ["bash", "dash", "zsh"])
@settings(max_examples=15, deadline=None)
@given(value=values.filter(lambda text: "\r" not in text))
def test_a_posix_shell_reads_back_the_value(shell: str, value: str) -> None:
    program = _installed(shell)

    statement = render([Change("LLMGW_TEST", value)], "bash")

    assert _value_after(program, statement) == value


@settings(max_examples=15, deadline=None)
@given(value=values.filter(lambda text: "\r" not in text))
def test_fish_reads_back_the_value(value: str) -> None:
    program = _installed("fish")

    statement = render([Change("LLMGW_TEST", value)], "fish")

    assert _value_after(program, statement) == value


@given(value=values)
def test_json_gives_back_the_value(value: str) -> None:
    assert json.loads(render([Change("NAME", value)], "json")) == {"NAME": value}


def test_nu_gets_control_characters_in_its_own_escapes() -> None:
    text = render([Change("NAME", 'a"b\\c\x1bd\ne')], "nu")

    assert text == '$env.NAME = "a\\"b\\\\c\\u{1b}d\\ne"\n'


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("sk-abc_123", "NAME=sk-abc_123"),
        ("http://localhost:4000/v1", "NAME=http://localhost:4000/v1"),
        ("two words $HOME", "NAME='two words $HOME'"),
        ("it's", 'NAME="it\'s"'),
        ("a\nb$c", 'NAME="a\\nb\\$c"'),
        ("", "NAME=''"),
    ],
)
def test_dotenv_quotes_as_little_as_it_can(value: str, line: str) -> None:
    assert render([Change("NAME", value)], "dotenv") == line + "\n"


@pytest.mark.parametrize(
    ("shell", "line"),
    [
        ("bash", "unset NAME\n"),
        ("zsh", "unset NAME\n"),
        ("fish", "set -e NAME\n"),
        ("nu", "hide-env --ignore-errors NAME\n"),
    ],
)
def test_each_shell_has_its_word_for_taking_a_variable_away(shell: str, line: str) -> None:
    assert render([Change("NAME", None)], shell) == line


def test_json_holds_only_what_is_set() -> None:
    assert json.loads(render([Change("A", None), Change("B", "b")], "json")) == {"B": "b"}


@pytest.mark.parametrize(
    ("path", "shell"),
    [
        ("/usr/bin/fish", "fish"),
        ("/opt/homebrew/bin/nu", "nu"),
        ("/bin/zsh", "zsh"),
        ("/bin/bash", "bash"),
        ("/bin/dash", "bash"),
        ("", "bash"),
    ],
)
def test_the_shell_is_chosen_by_its_name(path: str, shell: str) -> None:
    assert default_shell({"SHELL": path}) == shell


def test_direnv_gets_bash_whatever_the_shell() -> None:
    assert direnv_line("llmgwctl env") == 'eval "$(llmgwctl env --shell bash)"'


@pytest.mark.parametrize(
    ("listen", "url"),
    [
        (["127.0.0.1:4000", "[::1]:4000"], "http://localhost:4000"),
        (["127.0.0.1:4000"], "http://127.0.0.1:4000"),
        (["[::1]:4010"], "http://[::1]:4010"),
        (["0.0.0.0:4000"], "http://127.0.0.1:4000"),
    ],
)
def test_the_url_names_an_address_that_is_bound(listen: list[str], url: str) -> None:
    assert base_url(listen) == url


def _installed(shell: str) -> str:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    return program


def _value_after(program: str, statement: str) -> str:
    """Have a shell read the statement, and give what a program it starts would see."""
    script = statement + "env -0"
    ended = subprocess.run(
        [program, "-c", script],
        capture_output=True,
        check=True,
        timeout=30,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": "/nonexistent"},
    )
    entries = ended.stdout.decode().split("\0")
    return next(e for e in entries if e.startswith("LLMGW_TEST=")).removeprefix("LLMGW_TEST=")
