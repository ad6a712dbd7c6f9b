"""Files of programs, edited in their own text: all that is not touched stays, comments too."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgwctl.setup.document import MISSING, UnfitFile, lookup
from llmgwctl.setup.dotenv_document import DotenvDocument
from llmgwctl.setup.json_document import JsonDocument
from llmgwctl.setup.toml_document import TomlDocument
from llmgwctl.setup.yaml_document import YamlDocument
from support.json_values import nested

keys = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=4)
values = nested(st.none() | st.booleans() | st.integers() | st.text(max_size=6), keys)
objects = st.dictionaries(keys, values, max_size=4)


@given(
    held=objects,
    path=st.lists(keys, min_size=1, max_size=3),
    value=values,
    indent=st.sampled_from([None, 2, 4, "\t"]),
)
def test_a_value_that_is_put_is_there_and_nothing_else_changed(
    held: dict[str, Any], path: list[str], value: Any, indent: Any
) -> None:
    document = JsonDocument(json.dumps(held, indent=indent))
    try:
        document.put(tuple(path), value)
    except UnfitFile:
        parents = [lookup(held, tuple(path[:n])) for n in range(1, len(path))]
        assert any(each is not MISSING and not isinstance(each, dict) for each in parents)
        return

    expected = json.loads(json.dumps(held))
    inner = expected
    for key in path[:-1]:
        inner = inner.setdefault(key, {})
    inner[path[-1]] = value
    assert json.loads(document.text()) == expected


@given(held=objects, indent=st.sampled_from([None, 2]), data=st.data())
def test_a_value_that_is_dropped_is_gone_and_nothing_else(
    held: dict[str, Any], indent: Any, data: st.DataObject
) -> None:
    key = data.draw(st.sampled_from(sorted(held) or [""]))
    document = JsonDocument(json.dumps(held, indent=indent))

    document.drop((key,))

    assert json.loads(document.text()) == {name: each for name, each in held.items() if name != key}


COMMENTED = """\
// of a person
{
    "theme": "dark", // at night
    /* "old": 1, */
    "provider": {
        "other": {"a": [1, 2,],}, // stays
    },
    "last": true // no comma
}
"""


def test_comments_and_indentation_of_a_json_file_stay() -> None:
    document = JsonDocument(COMMENTED)

    document.put(("provider", "llmgw", "name"), "llmgw")
    document.put(("model",), "m")

    assert document.text() == COMMENTED.replace(
        "// stays\n",
        '// stays\n        "llmgw": {\n            "name": "llmgw"\n        },\n',
    ).replace("true // no comma\n", 'true, // no comma\n    "model": "m"\n')
    document.drop(("provider", "llmgw", "name"))
    document.drop(("model",))
    assert document.text() == COMMENTED


def test_an_empty_json_file_is_begun() -> None:
    document = JsonDocument("")

    document.put(("env", "A"), "1")

    assert document.text() == '{\n  "env": {\n    "A": "1"\n  }\n}\n'


@pytest.mark.parametrize("text", ["{", '{"a"}', "{'a': 1}", '{"a": b}', '{"a": 1} x', '{"a": 1 2}'])
def test_what_is_no_json_is_left_alone(text: str) -> None:
    with pytest.raises(UnfitFile, match="line 1 is no JSON"):
        JsonDocument(text)


TOML = """\
# of a person
model = "gpt-5" # the best

[profiles.fast]
model = "gpt-mini"
"""


def test_comments_of_a_toml_file_stay_and_own_keys_come_before_the_tables() -> None:
    document = TomlDocument(TOML)

    document.put(("model_provider",), "llmgw")
    document.put(("model_providers", "llmgw", "base_url"), "http://localhost:4000/v1")
    document.put(("model_providers", "llmgw", "auth", "command"), "llmgwctl")

    text = document.text()
    held = tomllib.loads(text)
    assert held["model_provider"] == "llmgw"
    assert held["profiles"] == {"fast": {"model": "gpt-mini"}}
    assert held["model_providers"]["llmgw"]["auth"] == {"command": "llmgwctl"}
    assert 'model = "gpt-5" # the best\n' in text
    assert text.startswith("# of a person\n")


def test_what_was_put_into_a_toml_file_can_be_dropped() -> None:
    document = TomlDocument(TOML)
    document.put(("model_providers", "llmgw", "auth", "command"), "llmgwctl")
    document = TomlDocument(document.text())

    document.drop(("model_providers", "llmgw", "auth", "command"))

    assert tomllib.loads(document.text()) == tomllib.loads(TOML)
    assert document.get(("model_providers",)) is MISSING


def test_what_is_no_toml_is_left_alone() -> None:
    with pytest.raises(UnfitFile, match="it is no TOML"):
        TomlDocument("[x")
    with pytest.raises(UnfitFile, match="model is no table"):
        TomlDocument(TOML).put(("model", "x"), 1)


def test_comments_and_quotes_of_a_yaml_file_stay() -> None:
    text = "# of a person\ndark-mode: true # at night\nread: ['a.md', \"b.md\"]\n"
    document = YamlDocument(text)

    document.put(("openai-api-base",), "http://localhost:4000/v1")
    added = document.text()
    document.drop(("openai-api-base",))

    assert added == f"{text}openai-api-base: http://localhost:4000/v1\n"
    assert document.text() == text


def test_a_yaml_file_of_comments_alone_keeps_them() -> None:
    document = YamlDocument("# nothing yet\n# dark-mode: true")

    document.put(("model",), "openai/m")

    assert document.text() == "# nothing yet\n# dark-mode: true\nmodel: openai/m\n"


@pytest.mark.parametrize("text", ["- a\n- b\n", "a: [1\n"])
def test_what_holds_no_settings_is_left_alone(text: str) -> None:
    with pytest.raises(UnfitFile):
        YamlDocument(text)


def test_one_line_of_a_dotenv_file_changes() -> None:
    document = DotenvDocument("# mine\nexport A=1\nGOOGLE_GEMINI_BASE_URL=https://x\n")

    document.put(("GOOGLE_GEMINI_BASE_URL",), "http://localhost:4000")
    document.put(("GEMINI_MODEL",), "two words")

    assert document.text() == (
        "# mine\nexport A=1\nGOOGLE_GEMINI_BASE_URL=http://localhost:4000\n"
        "GEMINI_MODEL='two words'\n"
    )
    assert document.get(("GEMINI_MODEL",)) == "two words"
    document.drop(("GEMINI_MODEL",))
    assert document.get(("GEMINI_MODEL",)) is MISSING
