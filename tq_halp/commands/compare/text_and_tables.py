"""Text and tables that can be written as Markdown or HTML, or shown on a terminal."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table as RichTable

from tq_halp.atomic_files import replacing


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Code:
    """Preformatted lines."""

    text: str


@dataclass(frozen=True)
class Table:
    """Column names and rows; the first `words` columns hold words, the others numbers."""

    head: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    words: int = 1


@dataclass(frozen=True)
class Section:
    """A heading and what is below it."""

    heading: str
    blocks: Sequence[Text | Code | Table]


@dataclass(frozen=True)
class Document:
    """A title and sections."""

    title: str
    sections: Sequence[Section]

    def write_markdown(self, path: Path) -> None:
        """Writes the document as a Markdown file."""
        with replacing(path) as temporary:
            temporary.write_text("\n\n".join(self._markdown()) + "\n", encoding="utf-8")

    def show(self, console: Console, heading: str) -> None:
        """Prints the tables of one section."""
        if not console.is_terminal:
            console = Console(file=console.file, width=160)
        section = next(s for s in self.sections if s.heading == heading)
        for block in section.blocks:
            if isinstance(block, Table):
                table = RichTable(box=box.SIMPLE)
                for k, name in enumerate(block.head):
                    side = "left" if k < block.words else "right"
                    table.add_column(name, justify=side, overflow="fold")
                for row in block.rows:
                    table.add_row(*row)
                console.print(table)

    def _markdown(self) -> Iterator[str]:
        yield f"# {_escaped(self.title)}"
        for section in self.sections:
            yield f"## {section.heading}"
            for block in section.blocks:
                if isinstance(block, Table):
                    rule = ["---" if k < block.words else "---:" for k in range(len(block.head))]
                    rows = (block.head, rule, *block.rows)
                    yield "\n".join("| " + " | ".join(map(_escaped, row)) + " |" for row in rows)
                elif isinstance(block, Code):
                    yield f"```\n{block.text.rstrip()}\n```"
                else:
                    yield _escaped(block.text)


def _escaped(text: str) -> str:
    for character in "\\|<*`":
        text = text.replace(character, "\\" + character)
    return text.replace("\n", " ")
