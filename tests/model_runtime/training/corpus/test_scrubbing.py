"""Personal data and secrets are taken out, and code is left as it is."""

import ast

import pytest

from model_runtime.training.corpus.scrubbing import scrub

# Put together here, so that nobody's scanner takes this file for a leak.
HEX = "0123456789abcdef" * 4
SECRETS = {
    "AWS key": "AKIA" + "IOSFODNN7EXAMPLE",
    "GitHub token": "ghp" + "_" + "a1B2" * 9,
    "GitLab token": "glpat" + "-" + "a1B2" * 5,
    "Slack token": "xoxb" + "-1234567890-abcdef",
    "Google key": "AIza" + "a1B2-" * 7,
    "Stripe key": "sk_live" + "_" + "a1B2" * 6,
    "OpenAI key": "sk-proj" + "-" + "a1B2" * 10,
    "Hugging Face token": "hf" + "_" + "aBcD" * 9,
    "PyPI token": "pypi" + "-AgEIcHlwaS5vcmc" + "a1B2" * 15,
    "npm token": "npm" + "_" + "a1B2" * 9,
    "JSON web token": "eyJ" + "hbGciOiJIUzI1" + ".eyJ" + "zdWIiOiIxMjM0" + ".dozjgNryP4J3jVmN",
    "private key": f"-----BEGIN RSA PRIVATE KEY-----\n{HEX}\n-----END RSA PRIVATE KEY-----",
    "e-mail address": "ann.lee+code@mail.host.org",
    "IP address": "93.184.216.34",
}


@pytest.mark.parametrize("kind", SECRETS)
def test_what_must_not_be_learned_is_replaced_and_counted(kind: str):
    text = f'value = """{SECRETS[kind]}"""\n'
    clean, found = scrub(text)

    assert {kind: 1} == found
    assert SECRETS[kind] not in clean
    ast.parse(clean)
    assert (clean, {}) == scrub(clean)


@pytest.mark.parametrize(
    "line",
    [
        "API_KEY = 'f3a9c27be41d4805b6c1'",
        'config["access_key"]: "f3a9c27be41d4805b6c1"',
        "password='f3a9c27be41d4805b6c1'",
    ],
)
def test_a_random_string_behind_a_telling_name_is_a_secret(line: str):
    assert scrub(line)[0] == line.replace("f3a9c27be41d4805b6c1", "REDACTED")


@pytest.mark.parametrize(
    "line",
    [
        "c = a@b.T",
        "y = x@layers.weight + bias",
        "git clone git@github.com:someone/thing.git",
        "contact = 'user@example.com'",
        "@app.route('/')",
        "version = '4.0.0.1'",
        "host = '127.0.0.1'",
        "mask = '255.255.255.0'",
        "gateway = '192.168.1.1'",
        "oid = '1.3.6.1.4.1.311.21.20'",
        "token = 'begin_of_sentence_token'",
        "password = 'correct horse battery staple'",
        "secret_name = 'projects/name/secrets/other'",
        "api_key = os.environ['SERVICE_API_KEY_2']",
        "sk-learn, task_live_1",
        "digest = '" + HEX + "'",
    ],
)
def test_code_is_left_as_it_is(line: str):
    assert (line, {}) == scrub(line)
