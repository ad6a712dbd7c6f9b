"""Help, manual page and completions: made from the verbs' parsers, and so true of all of them."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from client_process import COMMAND, environment, run

from llmgwctl.cli import completion as completing
from llmgwctl.cli.arguments import build, examples_of, load
from llmgwctl.cli.manual import man_page, overview
from llmgwctl.cli.verbs import VERBS, Verb, find
from llmgwctl.wire import Exit

if TYPE_CHECKING:
    from pathlib import Path

    from support.client.plain_daemon import Served

BY_NAME = pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)


@BY_NAME
def test_every_verb_has_an_example_that_its_own_parser_takes(verb: Verb) -> None:
    module = load(verb)
    examples = examples_of(module.EXAMPLES, verb)

    text = build(verb, module).format_help()
    assert examples
    for command, does in examples:
        assert command in text
        assert does in text
        for words in own_words(command, verb):
            build(verb, module).parse_args(words)


def own_words(command: str, verb: Verb) -> list[list[str]]:
    """Find `llmgwctl VERB …` in a line as a person would type it, and give each one's arguments."""
    lexer = shlex.shlex(command.replace('"$(', " ").replace(')"', " "), punctuation_chars=True)
    lexer.whitespace_split = True
    found: list[list[str]] = []
    words: list[str] | None = None
    previous = ""
    for word in lexer:
        if set(word) <= set("|&;<>()"):
            words = None
        elif previous == "llmgwctl" and word == verb.name:
            words = []
            found.append(words)
        elif words is not None:
            words.append(word.strip("'\""))
        previous = word
    return found


@BY_NAME
def test_help_of_a_verb_fits_80_columns(verb: Verb, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")

    lines = build(verb, load(verb)).format_help().splitlines()
    assert [line for line in lines if len(line) > 80 and not line.startswith("  llmgwctl")] == []


def test_the_overview_lists_every_verb_and_fits_80_columns() -> None:
    lines = overview().splitlines()

    assert [line for line in lines if len(line) > 80] == []
    for verb in VERBS:
        assert any(line.split()[:1] == [verb.name] for line in lines)


def test_help_is_given_in_every_way_it_is_asked_for(folder: Path) -> None:
    path = str(folder / "none.sock")
    asked = [("help",), ("--help",), ("-h",)]
    assert {run(path, *words).stdout for words in asked} == {overview()}
    verb = [("help", "wait"), ("wait", "--help"), ("wait", "-h")]
    assert len({run(path, *words).stdout for words in verb}) == 1
    assert run(path, "help", "wiat").stderr == (
        "llmgwctl: there is no verb 'wiat'; did you mean: llmgwctl help wait\n"
    )


def test_the_manual_page_has_every_verb_and_every_option() -> None:
    page = man_page()

    for verb in VERBS:
        assert f'.SS "llmgwctl {verb.name}' in page
        for action in build(verb, load(verb))._actions:
            for option in set(action.option_strings) - {"-h", "--help"}:
                assert option.replace("-", r"\-") in page


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_groff_has_nothing_to_say_against_the_manual_page() -> None:
    done = subprocess.run(
        ["groff", "-man", "-ww", "-Tutf8", "-Kutf8", "-z"],
        input=man_page(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_completion_proposes_verbs_options_values_and_forwards(served: Served) -> None:
    def words(*typed: str) -> list[str]:
        return [word for word, _ in completing.complete(typed, served.path)]

    assert words("st") == ["status", "start", "stop"]
    assert words("stop", "") == ["litellm", "dashboard", "staging", "old"]
    assert words("stop", "da") == ["dashboard"]
    assert "--json" in words("status", "--")
    assert words("wait", "--for", "re") == ["ready", "reconnecting"]
    assert words("wait", "--timeout", "") == []
    assert words("config", "ch") == ["check"]
    assert words("completion", "") == ["bash", "zsh", "fish"]
    assert words("status", "--socket", "") == []
    assert words("nonsense", "") == []


def test_completion_proposes_programs_to_run_and_the_gateways_models(
    served: Served, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "claude").touch(0o755)
    monkeypatch.setenv("PATH", str(folder))

    def proposed(*typed: str) -> list[str]:
        return [word for word, _ in completing.complete(typed, served.path)]

    assert proposed("run", "--timeout", "1m", "--", "") == ["claude"]
    assert proposed("run", "--", "claude", "-") == []
    assert proposed("models", "--check", "claude-s") == ["claude-sonnet"]
    assert proposed("run", "--model", "gpt") == ["gpt-mini"]
    assert proposed("key", "--check", "") != ["claude-sonnet"]


def test_completion_without_a_daemon_proposes_what_it_can(folder: Path) -> None:
    path = str(folder / "none.sock")

    assert completing.complete(["stop", ""], path) == []
    assert ("wait", find("wait").summary) in completing.complete(["w"], path)  # type: ignore[union-attr]


BASH = """
llmgwctl() {{ {command} "$@"; }}
eval "$(llmgwctl completion bash)"
COMP_WORDS=(llmgwctl stop s); COMP_CWORD=2; _llmgwctl
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
ZSH = """
autoload -Uz compinit && compinit -D -d {dump}
llmgwctl() {{ {command} "$@" }}
eval "$(llmgwctl completion zsh)"
_describe() {{ print -l -- "${{(@P)2}}" }}
words=(llmgwctl stop s); CURRENT=3; _llmgwctl
"""
FISH = """
function llmgwctl; {command} $argv; end
llmgwctl completion fish | source
complete -C 'llmgwctl stop s'
"""


@pytest.mark.parametrize(
    ("shell", "script", "expected"),
    [
        ("bash", BASH, "staging\n"),
        ("zsh", ZSH, "staging:reconnecting\n"),
        ("fish", FISH, "staging\treconnecting\n"),
    ],
)
def test_the_shells_own_script_asks_and_shows(
    served: Served, folder: Path, shell: str, script: str, expected: str
) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    text = script.format(command=shlex.join(COMMAND), dump=folder / "zcompdump")

    done = subprocess.run(
        [shell, *(["-f"] if shell == "zsh" else []), "-c", text],
        env=environment(served.path, HOME=str(folder)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.stdout == expected, done.stderr


def test_the_configuration_that_init_writes_holds_no_mistake(folder: Path) -> None:
    path = str(folder / "llmgw" / "config.toml")

    first = run("none", "config", "init", LLMGW_CONFIG=path)
    again = run("none", "config", "init", LLMGW_CONFIG=path)
    checked = run("none", "config", "check", LLMGW_CONFIG=path)

    assert (first.returncode, first.stdout.splitlines()[0]) == (Exit.OK, f"written: {path}")
    assert again.returncode == Exit.NOT_SO
    assert f"{path} is already there" in again.stderr
    assert (checked.returncode, checked.stderr) == (Exit.OK, "")


def test_every_line_of_the_written_configuration_says_what_holds_without_it() -> None:
    from llmgwctl.commands.config import template
    from llmgwd.config.file import parse

    other = ("# context", "# kubeconfig", "# url", "# fallback", '# listen = "127.0.0.1:9400"')
    sources = ("# key = { env", "# key = { file", "# key = { command")
    lines = [
        line.removeprefix("# ") if " = " in line or line.startswith("# [") else line
        for line in template().splitlines()
        if not line.startswith((*other, *sources))
    ]

    assert parse("\n".join(lines), "x") == parse('[[forward]]\nname = "litellm"\n', "x")


def test_config_check_tells_the_daemons_own_sentence(folder: Path) -> None:
    wrong = folder / "config.toml"
    wrong.write_text("[[forward]]\nport = 70000\n")

    done = run("none", "config", "check", str(wrong))

    assert (done.returncode, done.stdout) == (Exit.NOT_SO, "")
    assert "70000" in done.stderr
    assert "65535" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_config_path_and_show_follow_the_running_daemon(served: Served, folder: Path) -> None:
    with_daemon = run(served.path, "config", "path").stdout
    without = run(str(folder / "none"), "config", "path", LLMGW_CONFIG="/x/y.toml").stdout

    assert with_daemon == "/home/ada/.config/llmgw/config.toml\n"
    assert without == "/x/y.toml\n"
    shown = run(str(folder / "none"), "config", "show", LLMGW_CONFIG="/x/y.toml")
    assert "these are the defaults" in shown.stderr
    assert "[[forward]]" in shown.stdout
