"""Texts that are not UTF-8: a guess that is reported, or the encoding that a person names."""

from pathlib import Path

import pytest

from tellapart.data.sources.text_encoding import text_encoding
from tellapart.errors import DatasetError


def encoding_of(path: Path, content: bytes, asked: str | None = None) -> str:
    path.write_bytes(content)
    return text_encoding(path, asked)


@pytest.mark.parametrize("words", [("Müller", "Weißbuche"), ("año", "niño"), ("10°C",), ("l’été", "Noël")])
def test_western_text_is_cp1252_and_this_is_reported(
    tmp_path: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    content = "path,label\n" + "".join(f"{number}.jpg,{word}\n" for number, word in enumerate(words))
    assert encoding_of(tmp_path / "a.csv", content.encode("cp1252")) == "cp1252"
    assert capsys.readouterr().err == (
        f"{tmp_path}/a.csv is not UTF-8: read as cp1252, so that it has '0.jpg,{words[0]}'; --encoding names another\n"
    )


def test_other_scripts_are_left_to_a_library(tmp_path: Path) -> None:
    pytest.importorskip("charset_normalizer")
    content = "path,label\n" + "1.jpg,кошка\n2.jpg,собака\n" * 9
    assert encoding_of(tmp_path / "a.csv", content.encode("cp1251")) == "cp1251"


def test_without_the_library_it_is_guessed_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert encoding_of(tmp_path / "a.csv", "1.jpg,кошка\n".encode("cp1251")) == "cp1252"
    assert encoding_of(tmp_path / "b.csv", b"1.jpg,\x81\x8d\n") == "latin-1"


@pytest.mark.parametrize(
    "content",
    [b"path,label\n", "1.jpg,Müller\n".encode(), "\ufeff".encode() + b"caf\xe9", "1,猫\n2,é\n".encode() + b"caf\xe9\n"],
)
def test_unicode_stays_unicode_also_with_a_name_that_is_no_text(
    tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    assert encoding_of(tmp_path / "a.csv", content) == "utf-8-sig"
    assert capsys.readouterr().err == ""


def test_a_named_encoding_is_taken_without_a_word(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert encoding_of(tmp_path / "a.csv", b"\x94L", "cp932") == "cp932"
    assert encoding_of(tmp_path / "a.csv", b"x", "UTF8") == "utf-8-sig"
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name", ["cp1253x", "base64", "undefined", "a\0b"])
def test_what_is_no_encoding_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DatasetError, match="is no encoding of text: expected one such as utf-8, cp1252"):
        encoding_of(tmp_path / "a.csv", b"x", name)
