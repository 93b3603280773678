"""A resource at the command line: one table of what it shows and does, one implementation.

A module of commands says which columns and details a resource has, which methods take
nothing but its id, and what its other commands ask of the library. Opening the store,
``--store``, ``--limit`` and ``--json``, tables, empty lists, pages and new secrets are here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import KW_ONLY, dataclass
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, Generic

import typer
from typer.core import TyperGroup
from typer.main import get_group

from metering.cli.options import option
from metering.cli.screens.screen import (
    Cell,
    Column,
    Row,
    print_document,
    print_line,
    show,
    show_command,
    show_pairs,
    show_table,
)
from metering.cli.signatures import (
    JSON,
    PLACES,
    GivenOptions,
    Options,
    Shared,
    extended,
    taking_target,
)
from metering.cli.targets import StoreTarget, is_given
from metering.environment import ALLOW_PRIVATE_WEBHOOKS, LIVEMODE

if TYPE_CHECKING:
    import metering

ROWS_OF_A_TABLE = 20

LimitOption = Annotated[
    int | None,
    option(
        "N",
        f"Show at most N; if left out {ROWS_OF_A_TABLE} in a table, all in JSON.",
        min=1,
    ),
]
AllowPrivateOption = Annotated[
    bool,
    typer.Option(
        "--allow-private",
        envvar=ALLOW_PRIVATE_WEBHOOKS,
        help="Allow http, and addresses that are not public.",
    ),
]
LivemodeOption = Annotated[
    bool,
    typer.Option(
        "--live",
        envvar=LIVEMODE,
        help="Live mode: keys begin with sk_live_, and resources say livemode.",
    ),
]
_LIMIT: Shared = {"limit": (LimitOption, None)}
_SETTINGS: Shared = {
    "allow_private_webhooks": (AllowPrivateOption, False),
    "livemode": (LivemodeOption, False),
}


Details = Callable[["metering.Metering", Any], Iterable[tuple[str, Cell]]]


@dataclass(frozen=True, slots=True)
class Listing(Generic[Row]):
    """Rows to show, as many as there are, and how.

    Attributes:
        columns: are made once the rows of a table are known.
        none: is shown where there are no rows.
        is_long: whether JSON has every row in a line of its own, as there may be many.
    """

    rows: Iterable[Row]
    columns: Callable[[Sequence[Row]], Sequence[Column[Row]]]
    _: KW_ONLY
    none: str
    title: str | None = None
    is_long: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """What a command did: a document for programs, a sentence for people."""

    document: object
    sentence: str


class Resource:
    """The commands of a resource, in the order in which they are given.

    A function that is given to it takes the open store and its own options. What it
    returns is printed: a resource, a `Listing` or what was `Done`.
    """

    def __init__(
        self,
        *,
        details: Details | None = None,
        argument: object = None,
        calls: Callable[[metering.Metering], object] | None = None,
        id_of: Callable[[metering.Metering, str], str] = lambda _, named: named,
    ) -> None:
        """Define a resource.

        Args:
            details: names and values of one resource.
            argument: the annotation of the argument that names one, for `actions`.
            calls: finds the methods of an open store for `actions`.
            id_of: finds the id of what the argument names.
        """
        self._app = typer.Typer(rich_markup_mode=None)
        self._details = details
        self._argument = argument
        self._calls = calls
        self._id_of = id_of

    @property
    def group(self) -> TyperGroup:
        """Make the group of all commands."""
        return get_group(self._app)

    def lists(
        self, function: Callable[Concatenate[metering.Metering, Options], object]
    ) -> None:
        """Add ``list``, which the group does without a subcommand as well.

        Its docstring is the help of the group.
        """
        shared = {**_LIMIT, **PLACES, **JSON}

        def run(ctx: typer.Context, own: GivenOptions, given: GivenOptions) -> None:
            if ctx.invoked_subcommand is None:
                self._run(ctx, function, own, given)
            else:
                _refuse_all_but_places(ctx)

        callback = self._app.callback(invoke_without_command=True)
        callback(extended(function, shared, run))
        self.command(name="list", lists=True)(function)

    def actions(self, **helps: str) -> None:
        """Add commands that call the method of their name with nothing but an id."""
        for name, text in helps.items():
            self.command(name=name)(self._action(name, text))

    def add(self, function: Callable[Concatenate[StoreTarget, Options], None]) -> None:
        """Add a command that opens the store and prints what it finds itself."""
        self._app.command()(taking_target(function))

    def command(
        self,
        *,
        name: str | None = None,
        lists: bool = False,
        creates: bool = False,
        settings: Sequence[str] = (),
    ) -> Callable[
        [Callable[Concatenate[metering.Metering, Options], object]],
        Callable[Concatenate[metering.Metering, Options], object],
    ]:
        """Add a command.

        Args:
            name: that of the function, if left out.
            lists: whether it returns a `Listing`, and so has ``--limit``.
            creates: whether it creates the store if there is none.
            settings: keywords of `metering.connect` that are options of it.
        """
        limit = _LIMIT if lists else {}
        opening = {each: _SETTINGS[each] for each in settings}

        def added(
            function: Callable[Concatenate[metering.Metering, Options], object],
        ) -> Callable[Concatenate[metering.Metering, Options], object]:
            def run(ctx: typer.Context, own: GivenOptions, given: GivenOptions) -> None:
                chosen = {each: given[each] for each in settings}
                self._run(ctx, function, own, given, create=creates, **chosen)

            shared = {**limit, **opening, **PLACES, **JSON}
            self._app.command(name)(extended(function, shared, run))
            return function

        return added

    def tell(
        self,
        m: metering.Metering,
        result: object,
        *,
        is_json: bool,
        limit: int | None = None,
    ) -> None:
        """Print what a command came to: a `Listing`, what was `Done`, or a resource."""
        match result:
            case Listing():
                _print_listing(result, limit, is_json=is_json)
            case Done():
                print_document(result.document) if is_json else show(result.sentence)
            case one if is_json:
                print_document(one)
            case one:
                self._show(m, one)

    def _action(self, name: str, text: str) -> Callable[..., object]:
        def act(m: metering.Metering, named: str) -> object:
            assert self._calls is not None, "actions need methods to call"
            return getattr(self._calls(m), name)(self._id_of(m, named))

        act.__doc__ = text
        act.__annotations__["named"] = self._argument
        return act

    def _run(
        self,
        ctx: typer.Context,
        function: Callable[..., object],
        own: GivenOptions,
        given: GivenOptions,
        **opening: bool,
    ) -> None:
        with StoreTarget.of(ctx).open(**opening) as m:
            self.tell(
                m, function(m, **own), is_json=given["json"], limit=given.get("limit")
            )

    def _show(self, m: metering.Metering, one: Any) -> None:
        assert self._details is not None, "a resource that is shown has details"
        metadata = getattr(one, "metadata", {})
        show_pairs([*self._details(m, one), *metadata.items()])
        secret = getattr(one, "secret", None)
        if secret is not None:
            show()
            show("The secret, which is not shown again:")
            show_command(secret)


def _print_listing(listing: Listing[Any], limit: int | None, *, is_json: bool) -> None:
    rows = iter(listing.rows)
    if is_json and listing.is_long:
        for row in islice(rows, limit):
            print_line(row)
    elif is_json:
        print_document(list(islice(rows, limit)))
    else:
        most = limit or ROWS_OF_A_TABLE
        _show_listing(listing, list(islice(rows, most)))
        if next(rows, None) is not None:
            show(f"There are more than {most}; --limit shows others.", style="dim")


def _show_listing(listing: Listing[Row], shown: Sequence[Row]) -> None:
    if not shown:
        show(listing.none)
        return
    if listing.title is not None:
        show(listing.title, style="bold")
    show_table(listing.columns(shown), shown)


def _refuse_all_but_places(ctx: typer.Context) -> None:
    """Refuse options before a subcommand, which would be ignored.

    Raises:
        BadParameter: one was given.
    """
    for name in ctx.params:
        if name not in PLACES and is_given(ctx, name):
            option = f"--{name.replace('_', '-')}"
            raise typer.BadParameter(f"give {option} after {ctx.invoked_subcommand}")
