"""Text comes back as it was, whatever kind of tokenizer a model has."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from model_runtime.prompt.tokenizer import FimTokenizer
from tests.support.made_tokenizers import KINDS, made

TEXTS = {
    "Python": "def name(self):\n    return self.value  # für\n",
    "Go": 'func main() {\n\tfmt.Println("grüße")\r\n}\r\n',
    "Russian": "если value: print('если')\n",
    "Chinese": "名前 = '日本語の'\n",
    "Arabic": "اسم = 'قيمة'",
    "Hindi": "नाम = 'मान'  ",
    "emoji": "print('👩‍👩‍👧 🙂')",
    "French": "cafe\u0301 et caf\u00e9, ﬁn, ½",
    "leading blanks": "   def",
    "a blank": " ",
    "line ends": "\n\r\n\r\n\t\n",
    "marks of tokenizers": "▁def ▁▁ Ġdef Ċ <0x0A> <s> \u2581",
    "zero": "a\x00b",
}
any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
any_kind = st.sampled_from(KINDS)
MADE = {kind: made(kind) for kind in KINDS}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
@pytest.mark.parametrize("kind", KINDS)
def test_a_text_of_any_language_comes_back(kind, text):
    tokenizer = MADE[kind]

    assert text == tokenizer.decode(tokenizer.encode(text))


@given(any_kind, any_text)
def test_any_text_comes_back_and_so_do_its_bytes(kind, text):
    tokenizer = MADE[kind]
    ids = tokenizer.encode(text)

    assert text == tokenizer.decode(ids)
    assert text.encode() == b"".join(tokenizer.token_texts.texts[id_] for id_ in ids)
    assert [ids] == tokenizer.encode_batch([text])
    assert not {1, 2} & set(ids)


@given(any_kind, any_text, any_text)
def test_the_ids_of_two_texts_spell_both_of_them(kind, first, second):
    """No space is put before the second one, and none is taken from it."""
    tokenizer = MADE[kind]

    assert first + second == tokenizer.decode([*tokenizer.encode(first), *tokenizer.encode(second)])


@given(any_kind, any_text)
def test_offsets_rise_within_the_text(kind, text):
    ids, offsets = MADE[kind].encode_with_offsets(text)

    assert ids == MADE[kind].encode(text)
    assert sorted(offsets) == offsets
    assert all(0 <= offset < len(text) for offset in offsets)


@given(any_kind, any_text)
def test_a_stream_gives_a_text_as_its_ids_come(kind, text):
    tokenizer = MADE[kind]
    stream, so_far = tokenizer.text_stream(), ""
    for id_ in tokenizer.encode(text):
        so_far += stream.add(id_)
        assert text.startswith(so_far)

    assert text.rstrip("\ufffd") == so_far.rstrip("\ufffd")


@given(any_kind, st.lists(st.integers(3, 300), max_size=40))
def test_a_stream_takes_any_ids(kind, ids):
    """Bytes that are no UTF-8 too; a model may write anything."""
    stream = MADE[kind].text_stream()
    text = "".join(map(stream.add, ids))

    assert not text.endswith("\ufffd") or "\ufffd" in MADE[kind].decode(ids)


@pytest.mark.parametrize("kind", KINDS)
def test_a_character_shows_when_its_last_byte_has_come(kind):
    tokenizer = MADE[kind]
    ids = tokenizer.encode("a🙂b")
    stream = tokenizer.text_stream()

    assert ["a", "", "", "", "🙂", "b"] == [stream.add(id_) for id_ in ids]


@pytest.mark.parametrize("kind", KINDS)
def test_bytes_that_are_no_text_do_not_end_a_stream(kind):
    tokenizer = MADE[kind]
    by_byte = {text: id_ for id_, text in enumerate(tokenizer.token_texts.texts) if len(text) == 1}
    ids = [by_byte[bytes([byte])] for byte in (0xC3, 0xA9, 0xFF)] + tokenizer.encode("def")
    stream = tokenizer.text_stream()
    text = "".join(map(stream.add, ids))

    assert ("é", "def") == (text[:1], text[-3:])


@pytest.mark.parametrize("typed", ["    return self.na", " ", "für e", "名", "\tif", "▁d", "🙂"])
@pytest.mark.parametrize("kind", KINDS)
def test_any_kind_can_be_forced_to_begin_with_what_is_typed(kind, typed):
    tokenizer = MADE[kind]
    forced = tokenizer.forced(typed)

    assert forced.is_possible
    for id_ in forced.likely():
        assert id_ in forced.finishing() or id_ in forced.continuing()
        forced = forced.after(id_)
    assert forced.is_spelled


def test_an_id_that_begins_with_a_space_agrees_with_one(kind="llama"):
    tokenizer = MADE[kind]

    assert tokenizer.id_of("▁return") in tokenizer.forced(" re").finishing()
    assert tokenizer.id_of("return") not in tokenizer.forced(" re").finishing()
    assert tokenizer.id_of("▁") in tokenizer.forced(" re").continuing()


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_tokenizer_writes_the_same_ids(kind, tmp_path):
    MADE[kind].save(tmp_path / "tokenizer.json")
    again = FimTokenizer(Tokenizer.from_file(str(tmp_path / "tokenizer.json")))

    for text in TEXTS.values():
        assert MADE[kind].encode(text) == again.encode(text)
