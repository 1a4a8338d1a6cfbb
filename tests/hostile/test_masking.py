"""Secrets in ordinary files are no context of other files, however they stand there."""

from __future__ import annotations

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fim_lsp.completion.line_ngrams import LineNgramSuggester
from fim_lsp.context.gathering import gather
from fim_lsp.context.masking import masked_part
from fim_lsp.document import DocumentSnapshot
from fim_lsp.settings import Settings
from model_runtime.secret_forms import without_private_keys, without_secrets
from tests.support.http_server import serving
from tests.support.scripted_host import scripted_model

ALNUM = string.ascii_letters + string.digits
UPPER = string.ascii_uppercase + string.digits


def of(alphabet: str, least: int, most: int | None = None) -> st.SearchStrategy[str]:
    return st.text(alphabet, min_size=least, max_size=most or least)


def joined(*parts: st.SearchStrategy[str] | str) -> st.SearchStrategy[str]:
    return st.tuples(*(st.just(one) if isinstance(one, str) else one for one in parts)).map("".join)


# Put together here, so that nobody's scanner takes this file for a leak.
FORMS = {
    "AWS key": joined("AKIA", of(UPPER, 16)),
    "GitHub token": joined("gh", st.sampled_from("pousr"), "_", of(ALNUM, 36, 60)),
    "GitHub's new tokens": joined("github" "_pat_", of(ALNUM + "_", 22, 80)),
    "GitLab token": joined("gl" "pat-", of(ALNUM + "-_", 20, 30)),
    "Slack token": joined("xox", st.sampled_from("abprs"), "-", of(ALNUM + "-", 10, 40)),
    "Google key": joined("AI" "za", of(ALNUM + "-_", 35)),
    "Stripe key": joined("sk" "_live_", of(ALNUM, 16, 30)),
    "OpenAI key": joined("sk-" "proj-", of(ALNUM + "-_", 32, 60)),
    "Hugging Face token": joined("hf" "_", of(ALNUM, 30, 40)),
    "PyPI token": joined("pypi" "-AgEIcHlwaS5vcmc", of(ALNUM + "-_", 50, 80)),
    "npm token": joined("npm" "_", of(ALNUM, 36)),
    "JSON web token": joined(
        "eyJ", of(ALNUM + "-_", 10, 40), ".eyJ", of(ALNUM + "-_", 10, 80), ".", of(ALNUM + "-_", 10, 43)
    ),
}  # fmt: skip
SECRETS = st.one_of(*FORMS.values())
PLACES = st.sampled_from(
    [
        "KEY = '{}'",
        "def connect():\n    return client('{}', timeout=3)",
        'HEADERS = {{\n    "Authorization": "Bearer {}",\n}}',
        "url = f'https://x:{}@example.com/'",
        "# {}\nx = connect()",
        "const key = `{}`;",
        "KEYS = [\n    '{}',\n    'b',\n]",
    ]
)


def snapshot(name: str, text: str, offset: int | None = None) -> DocumentSnapshot:
    at = len(text) if offset is None else offset
    return DocumentSnapshot(f"file:///p/{name}", "python", 1, text, at, path=name)


def prompt_parts(other: str, offset: int = 0) -> str:
    """All that a document says to a file that wants everything of it."""
    own = snapshot(
        "main.py",
        "from other import connect, KEY, KEYS, HEADERS, client, url\n\nx = connect(KEY)\n",
    )
    found = gather(own, [snapshot("other.py", other, offset)], clock=lambda: 0.0)
    return "\n".join(one.text for one in found.snippets)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(secret=SECRETS, place=PLACES, before=st.integers(0, 60), edit=st.floats(0, 1))
def test_no_secret_of_a_known_form_is_context_of_another_file(secret, place, before, edit):
    text = "def connect(KEY):\n    pass\n\n" * (before // 10) + place.format(secret)

    assert secret not in prompt_parts(text, int(edit * len(text)))
    assert secret not in masked_part(snapshot("other.py", text))[0]


def test_other_code_is_context():
    assert "return client('a', timeout=3)" in prompt_parts(
        "def connect(KEY):\n    return client('a', timeout=3)\n"
    )


KEY_LINES = of(ALNUM + "+/", 64)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    lines=st.lists(KEY_LINES, min_size=3, max_size=60),
    kind=st.sampled_from(["", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED "]),
    has_end=st.booleans(),
    quoted=st.booleans(),
    edit=st.floats(0, 1),
)
def test_no_line_of_a_private_key_is_context_wherever_a_part_of_the_file_begins(
    lines, kind, has_end, quoted, edit
):
    rows = [f"-----BEGIN {kind}PRIVATE KEY-----", *lines]
    rows += [f"-----END {kind}PRIVATE KEY-----"] if has_end else []
    key = "\n".join(f'    "{row}\\n"' for row in rows) if quoted else "\n".join(rows)
    text = "x = connect()\n" * 3000 + f"KEY = (\n{key}\n)\n" + "y = connect()\n" * 3000
    part, line = masked_part(snapshot("other.py", text, int(edit * len(text))))

    assert not [one for one in lines if one in part]
    assert 0 <= line <= part.count("\n")
    assert text.count("\n") == without_private_keys(text).count("\n")


@pytest.mark.parametrize("edit", [0, 0.3, 0.5, 1])
def test_the_line_of_the_last_edit_stays_the_same_line(edit):
    text = "".join(f"line_{number} = {number}\n" for number in range(9000))
    offset = int(edit * (len(text) - 1))
    part, line = masked_part(snapshot("other.py", text, offset))
    number = text.count("\n", 0, offset)

    assert f"line_{number} = {number}" == part.splitlines()[line]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(secret=SECRETS)
def test_no_line_with_a_secret_is_suggested_from_the_projects_lines(secret):
    known = LineNgramSuggester()
    for number in range(6):
        known.learn(snapshot(f"{number}.py", f"for a in b:\n    call('{secret}')\n"), Settings())
    start = "for a in b:\n    call("

    assert known.complete(snapshot("new.py", start), 1.0) is None


def test_other_lines_are_suggested():
    known = LineNgramSuggester()
    for number in range(6):
        known.learn(snapshot(f"{number}.py", "for a in b:\n    call(item.price)\n"), Settings())

    assert known.complete(snapshot("new.py", "for a in b:\n    call("), 1.0) is not None


@settings(max_examples=20, deadline=None, derandomize=True)
@given(secret=SECRETS, place=PLACES)
def test_no_secret_of_another_file_gets_into_a_prompt_over_http(server, secret, place):
    """Nor into an answer, or the traces."""
    extra = [
        {"filename": "other.py", "text": "def connect(KEY):\n" + place.format(secret)},
        {"filename": "/p/.env", "text": f"connect KEY {secret}"},
        {"filename": "secrets/a.py", "text": f"def connect(KEY):\n    return '{secret}'\n"},
    ]
    body = {"input_prefix": "x = connect(KEY", "input_suffix": "", "input_extra": extra}
    answer = server.post("/infill", body)
    decode = server.model.encoder.tokenizer.decode

    assert 200 == answer.status_code
    assert secret not in answer.text + str(server.traces())
    assert not [one for one in server.engine.prompts if secret in decode(one)]


@pytest.fixture(scope="module")
def server():
    with serving(scripted_model("alpha"), Settings(cross_file_context=True)) as running:
        yield running


HARD = {
    "begins of keys": "-----BEGIN PRIVATE KEY-----" * 6000,
    "names of secrets": "token" * 40_000,
    "names and blanks": "token" + " " * 200_000,
    "begins of web tokens": "eyJ" + "-eyJ" * 50_000,
    "parts of web tokens": "eyJaaaaaaaaaaaa." * 12_000,
    "quotes": "token='" * 28_000,
    "a long value": "token = '" + "a" * 200_000,
    "begins of keys of servers": "sk-" * 60_000,
}


@pytest.mark.parametrize("text", HARD.values(), ids=HARD.keys())
def test_a_text_that_is_made_to_take_long_ends(text):
    """Patterns that go over the same characters again and again take minutes for these."""
    assert without_secrets(text)[0]
    assert without_private_keys(text)
