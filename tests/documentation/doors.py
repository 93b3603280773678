"""Which methods of the library each door calls: found in the source of what it runs.

A route runs its handler, a command its function; both run functions of their own
package. Every ``m.resource.method(…)`` among these is a call of the library.
"""

import ast
import inspect
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from types import FunctionType

import typer
import typer.main
from typer.core import TyperCommand, TyperGroup

import metering
from metering.cli.app import app
from metering.groups import CallGroups
from metering.server.api.routes import Route
from metering.server.table import ROUTES

# What routes call in the place of a method, where they answer many or make it again.
_SAME = {
    "internals.record_events": "meter_events.create",
    "internals.accept_events": "meter_events.create",
    "internals.create_session": "meter_event_sessions.create",
}
_PLUMBING = ("internals.", "now")
_NO_COMMAND = {"demo"}


def library_groups(m: metering.Metering) -> dict[str, object]:
    """Return the groups of a connection, such as ``entitlements.features``, in order."""
    return dict(_groups_within(m, CallGroups, ""))


def _groups_within(
    owner: object, kind: type, path: str
) -> Iterator[tuple[str, object]]:
    for name, member in vars(kind).items():
        if isinstance(member, cached_property) and name[0] != "_":
            group = getattr(owner, name)
            yield f"{path}{name}", group
            yield from _groups_within(group, type(group), f"{path}{name}.")


def library_methods() -> list[str]:
    """Return the methods that callers use, such as ``meters.create``, in their order."""
    with metering.connect(":memory:") as m:
        groups = library_groups(m)
    methods = [
        f"{name}.{method}"
        for name, group in groups.items()
        for method, _ in _public_functions(type(group))
    ]
    methods += [name for name, _ in _public_functions(metering.Metering)]
    return [each for each in methods if not each.startswith(_PLUMBING)]


def routes_by_method() -> dict[str, list[Route]]:
    """Return the routes that call each method of the library."""
    known = set(library_methods())
    found: dict[str, list[Route]] = {}
    for route in ROUTES:
        run = route.handler or route.together
        assert run is not None, "a route is answered by something"
        called = _called(run, "metering.server") & known
        # Whatever changes a resource may retrieve it, to answer with it.
        changes = {each for each in called if not each.endswith(".retrieve")}
        for method in sorted(changes or called):
            found.setdefault(method, []).append(route)
    return found


def commands_by_method() -> dict[str, list[str]]:
    """Return the commands that are for each method of the library, as they are typed."""
    known = set(library_methods())
    found: dict[str, list[str]] = {}
    for name, run, resource in _commands():
        # What a table of commands says of its resource is not in a command's source.
        by_name = f"{resource}.{name.split()[-1]}"
        called = {by_name} & known
        called = called or _called(run, "metering.cli", follow=False) & known
        called = called or _called(run, "metering.cli") & known
        for method in sorted(_purpose(name, called)):
            found.setdefault(method, []).append(name)
    return found


def _purpose(name: str, called: set[str]) -> set[str]:
    """Leave out what a command calls on the way to what it is for."""
    called = called - {"catch_up"} or called
    changes = {each for each in called if not each.endswith(".list")}
    own = {
        each for each in called if each.endswith(f"{name.rsplit(maxsplit=1)[-1]}.list")
    }
    return changes or own or called


def _commands() -> Iterator[tuple[str, Callable[..., object], str]]:
    """Yield what each command runs, with its name and the resource of its group."""
    for name, command in _commands_of(typer.main.get_command(app)):
        if not isinstance(command, TyperGroup):
            yield name, _run_by(command), ""
            continue
        inner = {each: _run_by(found) for each, found in _commands_of(command)}
        resource = _resource_of(name, inner)
        for each, run in inner.items():
            yield f"{name} {each}", run, resource


def _commands_of(group: object) -> Iterator[tuple[str, object]]:
    assert isinstance(group, TyperGroup), "it has commands"
    context = typer.Context(group)
    for name in group.list_commands(context):
        if name not in _NO_COMMAND:
            yield name, group.get_command(context, name)


def _run_by(command: object) -> Callable[..., object]:
    assert isinstance(command, TyperCommand), "it is a command"
    assert command.callback is not None, "it does something"
    return command.callback


def _resource_of(group: str, commands: Mapping[str, Callable[..., object]]) -> str:
    """Return the resource that most commands of a group call by their own names."""
    counted = Counter(
        method.rpartition(".")[0]
        for name, run in commands.items()
        for method in _called(run, "metering.cli")
        if method.endswith(f".{name}")
    )
    return max(
        counted, key=lambda each: (each.endswith(group), counted[each]), default=""
    )


def _public_functions(kind: type) -> list[tuple[str, object]]:
    return [
        (name, member)
        for each in kind.__mro__
        for name, member in vars(each).items()
        if name[0] != "_" and inspect.isfunction(member)
    ]


def _called(
    run: Callable[..., object], package: str, *, follow: bool = True
) -> set[str]:
    """Return the methods of the library that a function of a package calls."""
    found: set[str] = set()
    waiting: list[object] = [inspect.unwrap(run)]
    seen: set[FunctionType] = set()
    while waiting:
        function = waiting.pop()
        if not isinstance(function, FunctionType) or function in seen:
            continue
        seen.add(function)
        methods, named = _named_in(function)
        found |= methods
        if follow:
            waiting += [
                each
                for each in named
                if getattr(each, "__module__", "").startswith(package)
            ]
    return found


def _named_in(function: FunctionType) -> tuple[set[str], list[object]]:
    """Return the methods that a function names, and all else, which it may call."""
    if function.__name__ == "<lambda>":
        names = function.__code__.co_names
        method = ".".join(names)
        called = [function.__globals__.get(each) for each in names]
        return {_SAME.get(method, method)}, called
    methods: set[str] = set()
    named: list[object] = []
    held = inspect.getclosurevars(function).nonlocals
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))):
        if isinstance(node, ast.Attribute):
            methods.update(_method(node))
            if isinstance(node.value, ast.Name) and node.value.id in held:
                named.append(getattr(held[node.value.id], node.attr, None))
        elif isinstance(node, ast.Name):
            named.append(held.get(node.id, function.__globals__.get(node.id)))
    return methods, named


def _method(node: ast.Attribute) -> Iterator[str]:
    """Yield the method that ``m.group.resource.method`` and the like name."""
    path = ast.unparse(node).split(".")
    at = max((index for index, part in enumerate(path) if part == "m"), default=None)
    if at is not None and len(path) - at in (2, 3, 4):
        method = ".".join(path[at + 1 :])
        yield _SAME.get(method, method)
