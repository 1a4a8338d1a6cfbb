from __future__ import annotations

import re
import subprocess

import pytest

from fim_lsp.exclusion.judge import (
    MAX_GLOBS,
    is_excluded,
    is_unshared,
    problems_of,
)
from tests.support.hostile_repositories import git

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
    # whole folders, at any depth
    "file:///p/.env/prod.py",
    "file:///p/.env.d/10/deep.py",
    "file:///p/secrets/api.py",
    "file:///p/deploy/secrets/in/deep.py",
    "file:///p/.aws/sso/cache.py",
    "file:///home/me/.ssh/keys/tool.py",
    "file:///home/me/.gnupg/private/a.py",
    "file:///home/me/.kube/cache/a.py",
    "file:///home/me/.docker/contexts/a.py",
    "file:///home/me/.config/gcloud/legacy/a.py",
    "file:///p/.SSH/a.py",
    # copies
    "file:///p/server.pem.bak",
    "file:///p/server.key.old",
    "file:///p/server.pem~",
    "file:///p/prod.env~",
    "file:///p/#.env#",
    "file:///p/.#.env",
    "file:///p/.server.pem.swp",
    # other names of the same
    "file:///p/app.env.local",
    "file:///p/env.local",
    "file:///p/env.prod",
    "file:///p/my_id_rsa",
    "file:///p/deploy-id_ed25519.pub",
    "file:///p/ssh_host_rsa_key",
    "file:///p/my-secrets.yaml",
    "file:///p/db-secret.yml",
    "file:///p/secrets_prod.py",
    "file:///p/app_secrets.py",
    "file:///p/client_secret_12.apps.json",
    "file:///p/.authinfo",
    "file:///p/.authinfo.gpg",
    "file:///p/.bash_history",
    "file:///p/.psql_history",
    "file:///p/.s3cfg",
    "file:///p/.boto",
    "file:///p/.git/config",
    "file:///p/x.keytab",
    "file:///p/wp-config.php",
    "file:///p/pgpass.conf",
    "file:///p/htpasswd",
    # other spellings
    "file:///p/.env/",
    "file:///p/.env/.",
    "file:///p/%252Eenv",
    "file:///p/server.pem. ",
    "secrets.py",
    "credentials.py",
    "file:///" + "a/" * 200 + "a.py",
    "file:///" + "a" * 100_000,
]
HARMLESS = [
    "file:///p/environment.py",
    "file:///p/keyboard.py",
    "file:///p/key.py",
    "file:///p/pem.py",
    "file:///p/src/monkey.go",
    "file:///p/secretary.py",
    "file:///p/my_secrets_test.py",
    "file:///p/environment/prod.py",
    "file:///p/env.py",
    "file:///p/env.d.ts",
    "file:///p/invalid_rsa_test.py",
    "file:///p/history.py",
    "file:///p/secret_santa.py",
    "file:///p/docker/Dockerfile",
    "file:///p/aws/lambda.py",
    "file:///p/notes.bak",
    "file:///p/.git/COMMIT_EDITMSG",
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
    assert re.search("built-in list of secrets|path is too long", str(is_excluded(uri)))
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
        ("/**", "file:///p/a.py"),
        ("*", "untitled:Untitled-1"),
        ("C:/projects/**", "file:///c%3A/projects/a.py"),
        ("(", "file:///p/("),
        ("[[]", "file:///p/["),
    ],
)
def test_a_glob_of_the_users_excludes(glob, uri):
    assert str(is_excluded(uri, (glob,))) == f"fimLsp.exclude names {glob}"


FILES = [
    "a.py",
    "b.js",
    "c.min.js",
    "build",
    "lib/build/o.py",
    "generated/a.py",
    "generated/deep/b.py",
    "src/generated/c.py",
    "made/a.py",
    "made/deep/b.py",
    "src/gen/x.py",
    "src/gen/y.txt",
    "src/gen/deep/z.py",
    "note1.txt",
    "notes.txt",
    "logs/debug.log",
    "logs/keep/debug.log",
]


@pytest.mark.parametrize(
    "patterns",
    [
        ["*.min.js"],
        ["generated"],
        ["generated/"],
        ["made/**"],
        ["made/*"],
        ["**/generated"],
        ["**/generated/*.py"],
        ["build"],
        ["build/"],
        ["lib/build/"],
        ["src/gen/*.py"],
        ["src/**/*.py"],
        ["src/*/x.py"],
        ["s?c/gen"],
        ["note?.txt"],
        ["note[0-9].txt"],
        ["note[!1]*"],
        ["note[^s].txt"],
        ["[[:alpha:]].py"],
        ["a.py   "],
        ["*.js", "!b.js"],
        ["!b.js", "*.js"],
        ["generated", "!generated/a.py"],
        ["made/*", "!made/a.py"],
        ["made/**", "!made/a.py"],
        ["logs/*", "!logs/keep/"],
        ["logs/**", "!logs/keep/debug.log"],
        ["*.log", "!**/keep/*.log"],
    ],
    ids=" ".join,
)
def test_the_users_patterns_mean_what_they_mean_in_gitignore(tmp_path, patterns):
    git(tmp_path, "init", "-q")
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / ".gitignore").write_text("\n".join(patterns) + "\n")
    done = subprocess.run(
        ["git", "check-ignore", "--no-index", *FILES], cwd=tmp_path, capture_output=True, text=True
    )

    assert done.stdout.splitlines() == [
        name for name in FILES if is_excluded(str(tmp_path / name), tuple(patterns))
    ]


@pytest.mark.parametrize(
    ("glob", "uri"),
    [
        ("src/gen/*.py", "file:///p/inner/src/gen/a.py"),  # no folder is the pattern's own
        ("/p/a.py", "file:///p/a.py"),  # a whole path
        ("A.PY", "file:///p/a.py"),
        ("src\\gen", "file:///p/src/gen/a.py"),
        ("#a.py#", "file:///p/#a.py#"),
    ],
)
def test_the_users_patterns_mean_something_else_only_where_it_is_documented(glob, uri):
    assert is_excluded(uri, (glob,)) is not None


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


@pytest.mark.parametrize("glob", ["[z-a]", "[", "[]", "[!]", "~nosuchuser/x", "***", "", "/", "\\"])
def test_a_strange_glob_is_harmless(glob):
    is_excluded("file:///p/a.py", (glob,))


@pytest.mark.parametrize("name", ["settings_link.py", "linked/settings.py", "chain.py"])
def test_a_link_is_judged_by_what_it_leads_to(tmp_path, name):
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "settings.py").write_text("KEY = 1\n")
    (tmp_path / ".env").write_text("KEY=1\n")
    (tmp_path / "settings_link.py").symlink_to(".env")
    (tmp_path / "chain.py").symlink_to("settings_link.py")
    (tmp_path / "linked").symlink_to(".aws", target_is_directory=True)

    assert "built-in list" in str(is_excluded((tmp_path / name).as_uri()))
    assert "built-in list" in str(is_excluded(str(tmp_path / name)))


def test_a_link_is_judged_anew_each_time_and_by_its_own_name_as_well(tmp_path):
    link, plain = tmp_path / "a.py", tmp_path / "b.py"
    plain.write_text("x = 1\n")
    link.symlink_to(plain)
    before = is_excluded(link.as_uri()), is_excluded(link.as_uri(), ("a.py",))
    link.unlink()
    link.symlink_to(tmp_path / ".env")

    assert ("None", "fimLsp.exclude names a.py") == tuple(map(str, before))
    assert is_excluded(link.as_uri()) is not None


def test_links_in_a_circle_are_ordinary_names(tmp_path):
    (tmp_path / "a.py").symlink_to(tmp_path / "b.py")
    (tmp_path / "b.py").symlink_to(tmp_path / "a.py")

    assert is_excluded((tmp_path / "a.py").as_uri()) is None


def test_what_git_ignores_is_completed_but_shared_with_no_other_file(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / ".gitignore").write_text("local_keys.py\n")
    (tmp_path / "local_keys.py").write_text("")
    (tmp_path / "link.py").symlink_to("local_keys.py")
    uris = {name: (tmp_path / name).as_uri() for name in ("local_keys.py", "link.py", "a.py")}

    assert {None} == {is_excluded(uri) for uri in uris.values()}
    assert ["git ignores it"] * 2 + ["None"] == [str(is_unshared(uri)) for uri in uris.values()]


@pytest.mark.parametrize("uri", ["untitled:One", "a.py", "vscode-vfs://github/x/a.py"])
def test_what_has_no_place_on_the_disk_may_be_shared(uri):
    assert is_unshared(uri) is None


def test_the_last_glob_decides_and_may_take_back(tmp_path):
    globs = ("*.js", "generated", "!main.js", "!generated/main.py", "!.env")

    assert str(is_excluded("file:///p/a.js", globs)) == "fimLsp.exclude names *.js"
    assert is_excluded("file:///p/main.js", globs) is None
    assert (
        str(is_excluded("file:///p/generated/main.py", globs)) == "fimLsp.exclude names generated"
    )
    assert is_excluded("file:///p/.env", globs) is not None


def test_a_hard_glob_on_a_hard_name_is_judged_at_once():
    """Backtracking, one of these takes longer than anybody lives."""
    name = "file:///p/" + "a" * 60
    globs = ("*a" * 20 + "b", "**/*a" * 20 + "b", "*?" * 30 + "b")

    assert is_excluded(name, globs) is None


def test_the_longest_list_of_the_hardest_globs_on_the_longest_path_ends():
    globs = tuple("*" + "a" * 10 + f"b{number}/*" for number in range(MAX_GLOBS))
    path = "/".join(["file://", *["a" * 250] * 7, "a.py"])

    assert is_excluded(path, problems_of(globs)[0]) is None


@pytest.mark.parametrize(
    ("globs", "good", "said"),
    [
        (("*.js", "~nosuchuser/x", "b"), ("*.js", "b"), ["'~nosuchuser/x'.*no such home folder"]),
        (("a[b", "c"), ("c",), [r"'a\[b'.*bracket is not closed"]),
        (("a", ""), ("a", ""), []),
        (
            ("a",) * (MAX_GLOBS + 1),
            ("a",) * MAX_GLOBS,
            [f"more than {MAX_GLOBS} globs.* number {MAX_GLOBS + 1} "],
        ),
        (("a" * 1001, "b"), ("b",), ["'aaa.*longer than 1,000 characters"]),
        (
            ("a" * 1000,) * 11,
            ("a" * 1000,) * 10,
            ["more than .* characters.* number 11 "],
        ),
    ],
)
def test_a_wrong_glob_is_named_and_the_others_count(globs, good, said):
    found, sentences = problems_of(globs)

    assert good == found
    assert len(said) == len(sentences)
    for expected, sentence in zip(said, sentences, strict=True):
        assert re.search(expected, sentence)


def test_a_wrong_glob_takes_no_other_ones_force():
    assert is_excluded("file:///p/a.js", ("~nosuchuser/x", "a[", "*.js")) is not None
