"""Files of unusual form: set up without a loss and back again, or left with a reason."""

from __future__ import annotations

import difflib

import pytest

from llmgwctl.gateway.programs.program import Endpoint
from llmgwctl.setup import plan
from llmgwctl.setup.document import Edit, UnfitFile
from llmgwctl.setup.recipes import RECIPES, Request

ENDPOINT = Endpoint("http://localhost:4000", "sk-gateway", ("claude-opus", "gpt-mini"))
BLOCKS = 'model_providers.llmgw.base_url = "x"\n\n[other]\nb = 1 # mine\n'
ODD = [
    ("claude", '{\r\n  "model": "opus"\r\n}\r\n'),
    ("claude", '\ufeff{"a": 1}'),
    ("claude", '{"env": {"A": "1"}, "env": {"B": "2"}}'),
    ("codex", '# mine\r\nmodel = "x" # mine\r\n[a]\r\nb = 1\r\n'),
    ("codex", "\ufeffa = 1\n"),
    ("codex", BLOCKS),
    ("codex", 'model_providers = {llmgw = {base_url = "x"}, mine = {}}\n'),
    ("codex", '[model_providers.mine]\na = 1\n[z]\n[model_providers.llmgw]\nenv_key = "K"\n'),
    ("codex", "[a.b]\nc = 1\n[d]\n[a]\ne = 2\n"),
    ("aider", "read: [a, b] # mine\r\nmodel: x\r\n"),
    ("aider", "list:\n    - x\n    - y\nm:\n  k: 1\n"),
    ("aider", "%YAML 1.1\n---\na: 1\n"),
    ("aider", "\ufeffmodel: y\n"),
    ("gemini", "export A='x y'\r\n# mine\r\nGEMINI_MODEL=old\r\n"),
    ("gemini", "A=1\x0b2\u20283\nnot a variable\n"),
    ("opencode", '// mine\n{\n\t"a":\t1,\n}\n'),
    ("opencode", '{ // mine\n "provider": { "openai": { "models": {} }, /* z */ },\n}\n'),
]


def setup(name: str, text: str) -> tuple[str, list[Edit]]:
    recipe = RECIPES[name][-1]
    held = plan.document(text, recipe.format).get(())
    edits = recipe.edits(Request(ENDPOINT, {}, held, model="gpt-mini"))
    return plan.done(text, recipe.format, edits).after or "", edits


@pytest.mark.parametrize(("name", "text"), ODD)
def test_an_odd_file_is_set_up_once_and_comes_back_to_the_byte(name: str, text: str) -> None:
    after, edits = setup(name, text)

    assert setup(name, after)[0] == after
    assert plan.undone(after, text, RECIPES[name][-1].format, edits).after == text
    assert ("\r\n" in after) == ("\r\n" in text)
    assert "\n" not in after.replace("\r\n", "") or "\r\n" not in text


@pytest.mark.parametrize(("name", "text"), [each for each in ODD if each[1].count("\n") > 1])
def test_only_lines_about_it_are_changed(name: str, text: str) -> None:
    after, _ = setup(name, text)

    lines = difflib.ndiff(text.splitlines(), after.splitlines())
    lost = [line for line in lines if line.startswith("- ")]
    ours = ("model", "llmgw", "env_key", "GEMINI_MODEL", "provider")
    assert [line for line in lost if not any(word in line for word in ours)] == []


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("claude", "[]", "no object"),
        ("claude", "null", "no object"),
        ("claude", '{"env": "x"}', "env is no object"),
        ("claude", '{"a": 1}{', "line 1 is no JSON"),
        ("claude", "{\n// mine\n}", "line 2 is no JSON: its program reads no comments"),
        ("claude", '{"a": 1,}', "line 1 is no JSON"),
        ("codex", "model_providers = 3\n", "model_providers is no table"),
        ("codex", "[[model_providers]]\na = 1\n", "model_providers is no table"),
        ("codex", 'model = "a"\nmodel = "b"\n', "already exists"),
        ("codex", "x = \n", "it is no TOML"),
        ("aider", "- a\n", "no settings"),
        ("aider", "a: 1\n---\nb: 2\n", "it is no YAML"),
        ("aider", "\ta: 1\n", "it is no YAML"),
    ],
)
def test_what_cannot_be_edited_is_left_with_the_reason(name: str, text: str, reason: str) -> None:
    with pytest.raises(UnfitFile, match=reason):
        setup(name, text)
