"""Reads the report's page strictly, section by section."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html.parser import HTMLParser

VOID = {"meta", "link", "br", "img", "hr", "input"}

Attributes = dict[str, str | None]


class Page(HTMLParser):
    """Reads a page strictly: every element is closed, in order."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.section: str | None = None
        self.tags: list[tuple[str | None, str, Attributes]] = []
        self.words: list[tuple[str | None, str]] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"<{tag}> repeats an attribute: {attrs}"
        if tag == "section":
            self.section = dict(attrs)["id"]
        self.tags.append((self.section, tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((self.section, tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag
        if tag == "section":
            self.section = None

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append((self.section, data))

    @property
    def elements(self) -> list[tuple[str, Attributes]]:
        """All elements, in order."""
        return [(tag, attrs) for _, tag, attrs in self.tags]

    @property
    def text(self) -> str:
        """All that a reader sees."""
        return _joined(word for _, word in self.words)

    def text_of(self, section: str) -> str:
        """What a reader sees of one section."""
        return _joined(word for owner, word in self.words if owner == section)

    def attributes(self, tag: str, section: str | None = None) -> list[Attributes]:
        """The attributes of all elements of a kind, of one section if it is named."""
        return [
            attrs for owner, name, attrs in self.tags if name == tag and section in {None, owner}
        ]

    def of_class(self, name: str, section: str) -> list[Attributes]:
        """The attributes of a section's elements with a class."""
        return [
            attrs
            for owner, _, attrs in self.tags
            if owner == section and name in (attrs.get("class") or "").split()
        ]


def tidy(text: str) -> str:
    """Take away the spaces that stand for tags before a comma or inside of brackets."""
    return re.sub(r" (?=[\],:])", "", text).replace("[ ", "[")


def _joined(words: Iterable[str]) -> str:
    return re.sub(r"[ \n]+", " ", " ".join(words)).strip()
