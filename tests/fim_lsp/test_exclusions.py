from __future__ import annotations

import pytest

from fim_lsp.exclusions import is_excluded

SECRET = [
    "file:///p/.env",
    "file:///p/.env.local",
    "file:///p/.envrc",
    "file:///p/prod.env",
    "file:///p/server.pem",
    "file:///p/SERVER.PEM",
    "file:///p/tls.key",
    "file:///p/tls.crt",
    "file:///home/me/.ssh/config",
    "file:///home/me/.ssh/id_rsa",
    "file:///p/id_rsa",
    "file:///p/id_ed25519.pub",
    "file:///p/store.p12",
    "file:///p/store.pfx",
    "file:///p/vault.kdbx",
    "file:///p/app.jks",
    "file:///home/me/.netrc",
    "file:///home/me/.npmrc",
    "file:///home/me/.pypirc",
    "file:///home/me/.aws/credentials",
    "file:///home/me/.aws/config",
    "file:///home/me/.docker/config.json",
    "file:///home/me/.kube/config",
    "file:///p/credentials.json",
    "file:///p/credentials",
    "file:///p/secrets.yaml",
    "file:///p/secret.toml",
    "file:///p/.htpasswd",
    "file:///p/terraform.tfvars",
    "file:///p/prod.auto.tfvars",
    "file:///p/terraform.tfstate",
    "file:///p/terraform.tfstate.backup",
    "file:///c%3A/Users/me/.env",
    "file:///C:/Users/me/.ssh/id_rsa",
    "file:///p/%2Eenv",
    "file:///p/a#b/.env",
    "file:///p/what?/.env",
    "file:///p/a;b.pem",
    "vscode-notebook-cell:/p/secrets.ipynb#W0sZmlsZQ%3D%3D",
    "vscode-remote://ssh-remote%2Bhost/home/me/.env",
    "untitled:/p/.env",
    "untitled:.env",
    "/home/me/.env",
    "C:\\Users\\me\\.env",
    ".env",
    "server.pem",
]
HARMLESS = [
    "file:///p/environment.py",
    "file:///p/keyboard.py",
    "file:///p/key.py",
    "file:///p/pem.py",
    "file:///p/src/monkey.go",
    "file:///p/secretary.py",
    "file:///p/my_secrets_test.py",
    "file:///p/config.json",
    "file:///p/docker/config.json",
    "file:///p/credentials/handler.py",
    "file:///p/main.tf",
    "untitled:Untitled-1",
    "vscode-notebook-cell:/p/analysis.ipynb#W0sZmlsZQ%3D%3D",
    "",
    "file:///",
    "main.py",
]


@pytest.mark.parametrize("uri", SECRET)
def test_a_secret_by_its_name_is_excluded_whatever_the_user_set(uri):
    assert "built-in list of secrets" in (is_excluded(uri) or "")
    assert is_excluded(uri, ("!" + uri,)) is not None


@pytest.mark.parametrize("uri", HARMLESS)
def test_an_ordinary_file_is_not(uri):
    assert is_excluded(uri) is None


@pytest.mark.parametrize(
    ("glob", "uri"),
    [
        ("*.min.js", "file:///p/dist/app.min.js"),
        ("generated", "file:///p/generated/deep/a.py"),
        ("generated/", "file:///p/generated/deep/a.py"),
        ("generated/**", "file:///p/generated/deep/a.py"),
        ("**/generated/**", "file:///p/generated/deep/a.py"),
        ("src/gen/*.py", "file:///p/src/gen/a.py"),
        ("src/**/a.py", "file:///p/src/a.py"),
        ("src/**/a.py", "file:///p/src/x/y/a.py"),
        ("/p/private/**", "file:///p/private/a.py"),
        ("/p/private", "file:///p/private/a.py"),
        ("note?.txt", "file:///p/note1.txt"),
        ("note[0-9].txt", "file:///p/note1.txt"),
        ("note[!a].txt", "file:///p/note1.txt"),
        ("*.TXT", "file:///p/note.txt"),
        ("a b.py", "file:///p/a%20b.py"),
        ("src\\gen", "file:///p/src/gen/a.py"),
        ("**", "file:///p/a.py"),
        ("*", "untitled:Untitled-1"),
        ("C:/projects/**", "file:///c%3A/projects/a.py"),
        ("(", "file:///p/("),
        ("[[]", "file:///p/["),
    ],
)
def test_a_glob_of_the_users_excludes(glob, uri):
    assert is_excluded(uri, (glob,)) == f"fimLsp.exclude names {glob}"


@pytest.mark.parametrize(
    ("glob", "uri"),
    [
        ("*.min.js", "file:///p/app.js"),
        ("gen", "file:///p/generated/a.py"),
        ("src/*.py", "file:///p/src/x/a.py"),
        ("/private/**", "file:///p/private/a.py"),
        ("note?.txt", "file:///p/note.txt"),
        ("note[!1].txt", "file:///p/note1.txt"),
        ("a.py", "file:///p/aXpy"),
    ],
)
def test_a_glob_excludes_no_more_than_it_names(glob, uri):
    assert is_excluded(uri, (glob,)) is None


def test_the_home_folder_can_be_named_by_its_sign(monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.setenv("USERPROFILE", "/home/somebody")
    assert is_excluded("file:///home/somebody/diary/a.md", ("~/diary/**",)) is not None
    assert is_excluded("file:///home/other/diary/a.md", ("~/diary/**",)) is None


@pytest.mark.parametrize("glob", ["[z-a]", "[]", "[!]", "***", "", "/", "\\"])
def test_a_strange_glob_is_harmless(glob):
    is_excluded("file:///p/a.py", (glob,))
