"""The pages that are made from the code are not stale, and the others point to things that exist."""

import re
from pathlib import Path

import pytest

from domain.topics import TOPICS
from service.reference import FOLDER, pages

ROOT = Path(__file__).resolve().parents[2]
WRITTEN = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"))
    if "reference" not in path.parts
)


@pytest.mark.parametrize("name", sorted(pages()))
def test_the_page_is_as_the_code_says(name: str) -> None:
    assert (ROOT / FOLDER / name).read_text(encoding="utf-8") == pages()[name], "run `make docs`"


def test_every_topic_is_explained() -> None:
    assert all(f"`{topic}`" in pages()["topics.md"] for topic in TOPICS)


@pytest.mark.parametrize("name", WRITTEN)
def test_links_lead_somewhere(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if "://" not in target:
            assert (ROOT / name).parent.joinpath(target).exists(), f"{name} points to {target}"


@pytest.mark.parametrize("name", WRITTEN)
def test_commands_that_are_shown_exist(name: str) -> None:
    """Every ``borough …`` and ``make …`` line of a code block names a command and options that there are."""
    known = pages()["commands.md"] + pages()["settings.md"]
    goals = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for block in re.findall(r"```(?:sh|console)?\n(.*?)```", (ROOT / name).read_text(encoding="utf-8"), re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            for goal in re.findall(r"\bmake ([a-z-]+)", line):
                assert goal in goals, line
            for words in re.findall(r"\bborough ([a-z-]+[^|#&;]*)", line):
                assert f"\n## {words.split()[0]}\n" in known, line
                for option in re.findall(r"(?<=\s)(--[a-z-]+)", words):
                    assert f"`{option}" in known, f"{option} in: {line}"
