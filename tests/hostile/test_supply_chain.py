"""What runs in workflows and what a release is built with is named by its content, not by a name that can be moved."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
LOCKED = sorted((ROOT / ".github" / "requirements").glob("*.txt"))
JOB = re.compile(r"^  (\w+):\n((?:(?:   .*)?\n)+)", re.MULTILINE)
"""The jobs of a workflow: name and content."""


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_action_is_pinned_by_its_commit_and_says_its_version(path):
    used = re.findall(r"uses: *(\S+)(.*)", path.read_text())

    assert used
    for action, comment in used:
        assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", action), action
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment), comment


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_has_no_right_that_it_does_not_ask_for(path):
    text = path.read_text()

    assert re.search(r"^permissions:( \{\}|\n  contents: read)$", text, re.MULTILINE)
    assert "pull_request_target" not in text
    for name, job in JOB.findall(text):
        assert name == "galleries" or "secrets." not in job, name
    # Texts that strangers write are not pasted into commands.
    for command in re.findall(r"run: (.*)", text):
        assert "${{ github.event" not in command


def test_a_checkout_leaves_no_credentials_behind():
    for path in WORKFLOWS:
        text = path.read_text()
        assert text.count("actions/checkout@") == text.count("persist-credentials: false"), path


def test_only_the_job_that_publishes_may_publish_and_has_no_password():
    jobs = dict(JOB.findall((ROOT / ".github" / "workflows" / "release.yml").read_text()))
    publishing = [name for name, job in jobs.items() if "gh-action-pypi-publish" in job]

    assert ["pypi"] == publishing
    assert "id-token: write" in jobs["pypi"]
    assert "password" not in jobs["pypi"]
    assert "attest-build-provenance" in jobs["build"]
    for name in ("pypi", "galleries", "page"):  # where a right to publish is, nothing of ours runs
        assert "checkout" not in jobs[name]
        assert not re.search(r"run: (make|python)", jobs[name])


@pytest.mark.parametrize("path", LOCKED, ids=lambda path: path.name)
def test_every_requirement_of_a_release_has_a_version_and_hashes(path):
    text = re.sub(r"\\\n", " ", path.read_text())
    lines = [
        line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")
    ]

    assert lines
    for line in lines:
        assert re.match(r"[\w.-]+(\[[\w,-]+\])?==\S+ .*--hash=sha256:[0-9a-f]{64}", line), line[
            :100
        ]


def test_what_a_release_is_built_with_and_needs_is_locked():
    assert ["base.txt", "build.txt"] == [path.name for path in LOCKED]
