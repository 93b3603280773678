"""Errors by code: those of the classes, and those that calls in the source choose."""

import ast
from collections.abc import Iterator

import metering
from tests.documentation.pages import ROOT
from tests.documentation.tables import first_sentence, table

_REFUSE = {"invalid": "InvalidRequestError"}
_FOLDERS = ("ledger", "metering", "projections")
_DOORS = ("metering/cli", "metering/server")


def errors() -> str:
    """List every class of errors that the library raises, by its code."""
    for name in metering.__all__:
        # A class is among its parent's once its module is loaded.
        getattr(metering, name)
    return table(
        ["`code`", "Class", "Raised when"],
        sorted(
            [f"`{kind.code}`", f"`{_caught_as(kind)}`", first_sentence(kind)]
            for kind in _kinds(metering.MeteringError)
            if "code" in vars(kind)
            and not kind.__module__.replace(".", "/").startswith(_DOORS)
            and (kind.__name__ in metering.__all__ or not kind.__subclasses__())
        ),
    )


def _kinds(
    kind: type[metering.MeteringError],
) -> Iterator[type[metering.MeteringError]]:
    yield kind
    for each in kind.__subclasses__():
        yield from _kinds(each)


def _caught_as(kind: type) -> str:
    """Return the class by which callers catch an error: it, or what it is a kind of."""
    known = next(each for each in kind.__mro__ if each.__name__ in metering.__all__)
    return f"metering.{known.__name__}"


def codes() -> str:
    """List the codes that an error of a class can have beside its class's own."""
    kinds = {each.__name__: each for each in _kinds(metering.MeteringError)}
    found: dict[tuple[str, str], list[str]] = {}
    for folder in _FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if any(path.is_relative_to(ROOT / door) for door in _DOORS):
                continue
            for code, kind, message in _coded(ast.parse(path.read_text("utf-8"))):
                found.setdefault((code, kind), []).append(message)
    return table(
        ["`code`", "Class", "Message"],
        [
            [f"`{code}`", f"`{_caught_as(kinds[kind])}`", _joined(messages)]
            for (code, kind), messages in sorted(found.items())
        ],
    )


def _joined(messages: list[str]) -> str:
    return "<br>".join(dict.fromkeys(filter(None, messages)))


def _coded(tree: ast.Module) -> Iterator[tuple[str, str, str]]:
    """Yield each code that a call passes, the class of the error, and its message."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield from _coded_in_class(node)
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            continue
        kind = _REFUSE.get(call.func.id, call.func.id)
        given = [each.value for each in call.keywords if each.arg == "code"]
        if not kind.endswith("Error") or not given:
            continue
        message = _shown(call.args[0]) if call.func.id == kind else ""
        for code in _codes(given[0]):
            yield code, kind, message


def _coded_in_class(kind: ast.ClassDef) -> Iterator[tuple[str, str, str]]:
    """Yield the codes that a class of errors chooses from when it is raised."""
    documented = (ast.get_docstring(kind) or "").partition(".")[0]
    for node in ast.walk(kind):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.IfExp):
            for code in _codes(node.value):
                if ast.unparse(node.targets[0]) == "code":
                    yield code, kind.name, documented


def _codes(given: ast.expr) -> Iterator[str]:
    if isinstance(given, ast.IfExp):
        yield from _codes(given.body)
        yield from _codes(given.orelse)
    elif _shown(given):
        yield _shown(given)


def _shown(message: ast.expr) -> str:
    """Return a message with … in the place of what it is about."""
    if isinstance(message, ast.Constant) and isinstance(message.value, str):
        return message.value
    if isinstance(message, ast.JoinedStr):
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else "…"
            for part in message.values
        )
    return ""
