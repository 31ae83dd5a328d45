"""docs/PERFORMANCE.md: prose by hand and, between two marks, tables whose rows are replaced when they are measured."""

from dataclasses import dataclass, field
from pathlib import Path

BEGIN = "<!-- From here on benches/compare --write owns the text. -->\n"
END = "<!-- Here it ends. -->\n"


class PageError(Exception):
    """Why the page cannot be written."""


@dataclass
class Table:
    """Rows in a given order, each found by its name."""

    columns: list
    order: list
    lines: dict = field(default_factory=dict)

    def add(self, name, cells):
        first, *others = cells
        self.lines[name] = row_of([key(name) + (f": {first}" if first else ""), *others])

    def text(self, before):
        """The table, with the lines of `before` for rows that it lacks."""
        lines = [row_of(self.columns), "|" + "---|" * len(self.columns)]
        for name in self.order:
            kept = (line for line in before.splitlines() if line.startswith(f"| {key(name)}"))
            line = self.lines.get(name) or next(kept, None)
            lines += [line] if line else []
        return "\n".join(lines) + "\n"


@dataclass
class Page:
    """The page, and what its figures have in common."""

    path: Path
    circumstances: str

    def check(self, replaces_all):
        """Figures of other circumstances must not stay beside new ones."""
        _, owned, _ = self.parts()
        if not replaces_all and self.circumstances not in owned:
            raise PageError(
                f"{self.path} has figures of other versions or of another machine; measure all rows, without --only"
            )

    def text(self, tables, before=""):
        """What the marks enclose: the new rows, and those of `before` that were not measured anew."""
        return "\n".join(["", self.circumstances + "\n", *(table.text(before) for table in tables), ""])

    def write(self, tables):
        head, before, tail = self.parts()
        self.path.write_text(head + BEGIN + self.text(tables, before) + END + tail)

    def parts(self):
        text = self.path.read_text()
        head, begins, rest = text.partition(BEGIN)
        owned, ends, tail = rest.partition(END)
        if not (begins and ends):
            raise PageError(f"{self.path} has lost the marks around its tables: {BEGIN.strip()} and {END.strip()}")
        return head, owned, tail


def key(name):
    return f"**{name}**"


def row_of(cells):
    return "| " + " | ".join(cells) + " |"
