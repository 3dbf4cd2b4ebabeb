"""click in the language in use: the help of commands and options, and what click says itself.

click asks gettext for its own sentences, under the domain ``messages`` and in the language of the environment: while a command
runs, both lead to this package's catalogue.
"""

from __future__ import annotations

import gettext
import inspect
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from typing import Any

import click

import masanalytics
from masanalytics.formatting import display_width, fill
from masanalytics.i18n import N_, Language, _, resolve_language, use_language
from masanalytics.text import nearest

__all__ = ["Command", "Group", "Option", "asked_language", "speaking"]

_DOMAIN = "messages"
_KINDS = (N_("TEXT"), N_("INTEGER"), N_("FLOAT"), N_("FILE"), N_("DIRECTORY"), N_("FILENAME"), N_("ADDRESS"))
"""What click calls the kinds of values."""
_PLACES = (N_("[OPTIONS]"), N_("COMMAND [ARGS]..."))
_LOCALES = {"en": "en", "zh": "zh_CN"}


def asked_language(args: Sequence[str]) -> Language | None:
    """Return the language that ``--language`` asks for, wherever it stands; None where it does not, or is neither.

    Examples
    --------
    >>> asked_language(["codes", "MK:0012", "--language", "zh"]), asked_language(["--language=en"]), asked_language([])
    ('zh', 'en', None)
    """
    for place, argument in enumerate(args):
        option, equals, value = argument.partition("=")
        if option == "--language":
            value = value if equals else "".join(args[place + 1 : place + 2])
            return resolve_language(value) if value in _LOCALES else None
    return None


@contextmanager
def speaking(language: Language | None) -> Iterator[None]:
    """Say all that is said inside in `language`: this package's words, those of its threads, and click's."""
    with use_language(language) as spoken:
        asked = {"LANGUAGE": _LOCALES[spoken], "MAS_LANGUAGE": spoken}
        environment = {name: os.environ.get(name) for name in asked}
        folder = gettext.bindtextdomain(_DOMAIN)
        gettext.bindtextdomain(_DOMAIN, str(Path(masanalytics.__file__).with_name("locale")))
        os.environ.update(asked)
        try:
            yield
        finally:
            gettext.bindtextdomain(_DOMAIN, folder)
            for name, value in environment.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


def _said(help_text: str | None) -> str:
    return _(inspect.cleandoc(help_text)) if help_text else ""


class _Formatter(click.HelpFormatter):
    """Breaks lines between Chinese characters, each of which is two letters wide."""

    def write_text(self, text: str) -> None:
        """Write paragraphs."""
        if resolve_language() == "en":
            super().write_text(text)
            return
        paragraphs = [fill(paragraph, self.width - self.current_indent) for paragraph in text.split("\n\n")]
        for place, lines in enumerate(paragraphs):
            self.write("\n" * (place > 0))
            for line in lines:
                self.write(f"{'':>{self.current_indent}}{line}\n")

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Write terms with their explanations."""
        rows = list(rows)
        if resolve_language() == "en":
            super().write_dl(rows, col_max, col_spacing)
            return
        widest = min(max((display_width(term) for term, _text in rows), default=0), col_max)
        behind = self.current_indent + widest + col_spacing
        for term, text in rows:
            lines = fill(text, max(self.width - behind - 2, 10))
            gap = widest + col_spacing - display_width(term)
            head = f"{'':>{self.current_indent}}{term}"
            self.write(
                f"{head}{'':>{gap}}{lines[0]}\n" if gap >= col_spacing else f"{head}\n{'':>{behind}}{lines[0]}\n"
            )
            for line in lines[1:]:
                self.write(f"{'':>{behind}}{line}\n")


class _Context(click.Context):
    formatter_class = _Formatter


class Option(click.Option):
    """An option whose help is a sentence of the catalogue."""

    def make_metavar(self, ctx: click.Context) -> str:
        """Return what stands for the value: a word of the language, where it is only the value's kind."""
        word = super().make_metavar(ctx)
        return _(word) if word in _KINDS else word

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Return the names of the option and its help."""
        spoken = copy(self)
        spoken.help = _said(self.help)
        return click.Option.get_help_record(spoken, ctx)


class Command(click.Command):
    """A command whose help, its docstring, is a text of the catalogue."""

    context_class = _Context

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Begin a call."""
        self._help_option = None  # which click keeps, in the language of its first use
        return super().make_context(*args, **kwargs)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Return what stands behind the name of the command."""
        pieces = super().collect_usage_pieces(ctx)
        return [_(piece) if piece in _PLACES else piece for piece in pieces]

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help text."""
        spoken = copy(self)
        spoken.help = _said(self.help)
        click.Command.format_help_text(spoken, ctx, formatter)


class Group(Command, click.Group):
    """The commands, listed in the order they were added with the first sentence of their help."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is asked for; for a misspelt one say which was meant."""
        asked = args[0] if args else ""
        near = [] if asked in self.commands or asked.startswith("-") else nearest(asked, self.commands, count=1)
        if near and not ctx.resilient_parsing:
            ctx.fail(_("there is no command {name!r} (did you mean {near!r}?)", name=asked, near=near[0]))
        return super().resolve_command(ctx, args)

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands."""
        rows = [(name, _first_sentence(_said(command.help))) for name, command in self.commands.items()]
        with formatter.section(gettext.dgettext(_DOMAIN, "Commands")):
            formatter.write_dl(rows)


def _first_sentence(text: str) -> str:
    """Return the first sentence of a help text.

    Examples
    --------
    >>> _first_sentence("Check settings. Sends nothing."), _first_sentence("检查配置。不发送任何短信。")
    ('Check settings.', '检查配置。')
    """
    first = " ".join(text.split("\n\n", maxsplit=1)[0].split())
    ends = [place + 1 for place in (first.find(". "), first.find("。")) if place >= 0]
    return first[: min(ends, default=len(first))]
