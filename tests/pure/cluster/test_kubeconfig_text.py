"""A kubeconfig's text means to us what it means to kubectl, which reads YAML as goyaml does."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from llmgwd.cluster.kubeconfig.parsing import parse, read

MAX_BYTES = 1 << 20


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        *((word, str) for word in ("2026-01-02", "12:30", "190:20:30.15", "=", "<<", "_1")),
        *((word, bool) for word in ("y", "N", "yes", "Off", "TRUE")),
        *((word, int) for word in ("12", "017", "0x1f", "0b1", "0o7", "1_000", "+1")),
        *((word, float) for word in ("08", "1e3", "1.", ".5", "1e+3", ".inf", ".NaN")),
        *((word, type(None)) for word in ("~", "null", "")),
    ],
)
def test_a_word_without_quotes_is_what_goyaml_takes_it_for(word: str, kind: type) -> None:
    document = parse(f"name: {word}\n")

    assert isinstance(document, dict)
    assert type(document["name"]) is kind


@pytest.mark.parametrize(
    ("text", "value"),
    [
        # Beyond 64 bits a number is a float, beyond that text.
        ("18446744073709551615", 18446744073709551615),
        ("18446744073709551616", 18446744073709551616.0),
        ("1e400", "1e400"),
        ("9" * 5000, "9" * 5000),
        ("0x" + "f" * 9000, "0x" + "f" * 9000),
        # A tag that goyaml does not know counts for nothing; what it knows must fit.
        ("!foo 12", "12"),
        ("!!str 12", "12"),
        ('!!int "12"', 12),
        ("!!float 1", 1.0),
        ("!!binary Zm9v", "foo"),
        ("!!timestamp 2026-01-02", "2026-01-02"),
        ("!!set {a}", {"a": None}),
        ("!!omap [a: 1]", [{"a": 1}]),
        ("!!python/object/apply:os.system [true]", [True]),
        ("{1: a, yes: b, 1.5: c}", {"1": "a", "true": "b", "1.5": "c"}),
        # A merge replaces what stands before it, and of a list the first counts.
        ("{a: 1, <<: {a: 2, b: 3}, b: 4}", {"a": 2, "b": 4}),
        ("{<<: [{a: 1}, {a: 2, b: 3}]}", {"a": 1, "b": 3}),
        ("[&x {a: 1}, {<<: *x}]", [{"a": 1}, {"a": 1}]),
    ],
)
def test_a_value_is_what_goyaml_takes_it_for(text: str, value: object) -> None:
    assert parse(f"a: {text}") == {"a": value}


@pytest.mark.parametrize("text", ["a: b\n---\n", "---\na: b\n---\nc: d\n", "a: b\n...\n"])
def test_the_first_document_counts(text: str) -> None:
    assert parse(text) == {"a": "b"}


@pytest.mark.parametrize("text", ['{\n\t"a":\t"b"\n}', "\n{a: b}", '{"a": "b",}'])
def test_json_and_its_like_are_read(text: str) -> None:
    assert parse(text) == {"a": "b"}


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (b"", "utf-8"),
    ],
)
def test_a_mark_names_the_encoding(tmp_path: Path, mark: bytes, encoding: str) -> None:
    path = tmp_path / "config"
    path.write_bytes(mark + "name: Jörg\n".encode(encoding))

    assert read(str(path), MAX_BYTES) == {"name": "Jörg"}
