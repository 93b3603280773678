"""No call that the system or a driver can fail stands where its error would leave raw.

A raw error ends work in the background as a fault of this program, is a traceback at the
command line and a 500 over HTTP. So each such call stands in a block that turns errors
into ours, or in a function that says `OSError` under `Raises`; a call of that function
is then such a call itself.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# The door of the command line, `metering.cli.door`, names every OSError itself, and so do
# the last lines of the script that customers run.
SCRIPT = ROOT / "metering" / "explaining" / "proof" / "check.py"
MODULES = sorted(
    path
    for package in ("ledger", "projections", "metering")
    for path in (ROOT / package).rglob("*.py")
    if not path.is_relative_to(ROOT / "metering" / "cli") and path != SCRIPT
)
# Calls of the system, by what is called.
OF_MODULES = {
    "fcntl": {"fcntl", "flock", "lockf"},
    "os": {
        *("chmod", "close", "fdopen", "fstat", "fsync", "ftruncate", "link", "listdir"),
        *("lstat", "makedirs", "mkdir", "open", "posix_fadvise", "pread", "pwrite"),
        *("read", "rename", "replace", "scandir", "stat", "unlink", "write"),
    },
    "pa": {"OSFile", "memory_map"},
    "pafs": {"S3FileSystem", "resolve_s3_region"},
    "shutil": {"copyfile", "disk_usage", "move", "rmtree"},
    "socket": {"create_connection", "getaddrinfo", "socket", "socketpair"},
    "tempfile": {"TemporaryDirectory", "NamedTemporaryFile", "mkdtemp", "mkstemp"},
}
OF_PATHS = {
    *("chmod", "glob", "iterdir", "lstat", "mkdir", "read_bytes", "read_text", "rglob"),
    *("rmdir", "symlink_to", "touch", "unlink", "write_bytes", "write_text"),
}
OF_FILE_SYSTEMS = {
    *("delete_file", "get_file_info", "open_input_file", "open_output_stream"),
    *("read_at", "read_buffer"),
}
# What turns errors into ours, in a with statement or as the caller of a function.
TRANSLATORS = {
    *(
        "naming_holder",
        "_translated",
        "judged",
        "made_whole",
        "readable",
        "translated",
        "working_in",
    ),
}
# What lends a connection to a database.
LENDING = {"begin", "borrowed", "connect"}
DATABASES = [
    ROOT / "ledger" / "database" / name for name in ("postgresql.py", "sqlite.py")
]
CATCHING = {"BaseException", "Exception", "OSError", "UNREADABLE", "_UNREADABLE"}

# Each with the reason why its error may leave as it is, or cannot come.
LET_OUT = {
    "ledger/segments/in_database.py:_holds": "the file is of a database, as its errors are",
    "ledger/segments/in_database.py:_of_either": "who reads the file judges its errors",
    "ledger/segments/parts.py:_read_footer": "as those of `read_metadata`, or in memory",
    "metering/server/http/accepting.py:__init__": "as `_listener`: serving has yet to begin",
    "metering/server/http/accepting.py:_release_spare": "closing what is open loses nothing",
    "metering/server/http/serving.py:_listener": "`metering serve` begins, and names it",
    "metering/usage/ingest/bodies.py:pieces": "`open_body` reads them where it is `readable`",
    **dict.fromkeys(
        (
            "metering/usage/ingest/files.py:_ends_with_file",
            "metering/usage/ingest/files.py:_header",
            "metering/usage/ingest/files.py:_open_arrow",
            "metering/usage/ingest/files.py:_open_csv",
            "metering/usage/ingest/files.py:_open_ndjson",
            "metering/usage/ingest/files.py:_open_parquet",
        ),
        "`open_columns` chooses them by the suffix, and calls them where it is `readable`",
    ),
}


@dataclass(frozen=True)
class Place:
    module: str
    line: int
    function: str
    call: str

    def __str__(self) -> str:
        return f"{self.module}:{self.line}: {self.call} in {self.function}"


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def name_of(node: ast.expr) -> str:
    """The last word of what is called."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def is_of_system(call: ast.Call) -> bool:
    match call.func:
        case ast.Attribute(value=ast.Name(id=module), attr=name) if (
            module in OF_MODULES
        ):
            return name in OF_MODULES[module]
        case ast.Attribute(attr=name) if name in OF_PATHS | OF_FILE_SYSTEMS:
            return True
        case ast.Attribute(attr="replace" | "rename"):
            # A string's takes two arguments.
            return len(call.args) == 1 and not call.keywords
        case ast.Attribute(attr="stat"):
            return not call.args
        case ast.Attribute(attr="open") | ast.Name(id="open"):
            modes = [each.value for each in call.args if isinstance(each, ast.Constant)]
            return any(
                isinstance(each, str) and set(each) <= set("rwabx+") for each in modes
            )
        case _:
            return False


def says_so(function: ast.AST) -> bool:
    """Whether the documentation of a function says that it lets such errors out."""
    if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    _, _, raises = (ast.get_docstring(function) or "").partition("Raises:")
    return "OSError" in raises


@cache
def functions_that_say_so() -> frozenset[tuple[str, str]]:
    """Functions of modules, each by module and name."""
    return frozenset(
        (dotted(path), node.name)
        for path in MODULES
        for node in parsed(path).body
        if isinstance(node, ast.FunctionDef) and says_so(node)
    )


def place_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name


def dotted(path: Path) -> str:
    return place_of(path).removesuffix(".py").replace("/", ".")


def known_in(path: Path) -> set[str]:
    """The names by which a module calls functions that say so."""
    imported = {
        alias.name
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if (node.module, alias.name) in functions_that_say_so()
    }
    own = {name for module, name in functions_that_say_so() if module == dotted(path)}
    return imported | own


def parents_in(path: Path) -> dict[ast.AST, ast.AST]:
    return {
        child: parent
        for parent in ast.walk(parsed(path))
        for child in ast.iter_child_nodes(parent)
    }


def unguarded_calls(path: Path) -> Iterator[Place]:
    parents = parents_in(path)
    module, known = place_of(path), known_in(path)
    for node in ast.walk(parsed(path)):
        if not isinstance(node, ast.Call):
            continue
        is_named = isinstance(node.func, ast.Name) and node.func.id in known
        is_such = is_of_system(node) or is_named
        if is_such and (function := function_that_lets_out(node, parents)) is not None:
            yield Place(module, node.lineno, function, ast.unparse(node.func))


def function_that_lets_out(
    node: ast.AST,
    parents: dict[ast.AST, ast.AST],
    asked: frozenset[ast.AST] = frozenset(),
) -> str | None:
    """The function that an error of a call would leave; None where it does not.

    Args:
        asked: the functions whose callers are being looked at.
    """
    child = node
    while (parent := parents.get(child)) is not None:
        if is_guard(parent, child):
            return None
        if isinstance(parent, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            if says_so(parent) or is_given_to_translator(parent, parents):
                return None
            if isinstance(parent, ast.FunctionDef) and is_at_top(parent, parents):
                if parent in asked or (
                    parent.name.startswith("_")
                    and are_callers_guarded(parent, parents, asked)
                ):
                    return None
                return parent.name
        child = parent
    return "the module"


def is_at_top(function: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    """Whether a function is its module's or its class's, and not within another."""
    return isinstance(parents.get(function), ast.Module | ast.ClassDef)


def is_guard(parent: ast.AST, child: ast.AST) -> bool:
    """Whether an error of a part of a statement does not leave the statement raw."""
    if isinstance(parent, ast.Try):
        caught = {
            name_of(each)
            for handler in parent.handlers
            for each in types_of(handler.type)
        }
        return child in parent.body and bool(caught & CATCHING)
    if isinstance(parent, ast.With):
        items = parent.items
        # Of those that are entered with it, the ones before it.
        around = (
            items[: items.index(child)] if isinstance(child, ast.withitem) else items
        )
        return any(is_translator(item.context_expr) for item in around)
    return False


def types_of(node: ast.expr | None) -> Iterator[ast.expr]:
    match node:
        case None:
            return
        case ast.Tuple(elts=elements):
            for each in elements:
                yield each.value if isinstance(each, ast.Starred) else each
        case _:
            yield node


def is_translator(expression: ast.expr) -> bool:
    if not isinstance(expression, ast.Call):
        return False
    name = name_of(expression.func)
    if name == "suppress":
        return any(name_of(each) in CATCHING for each in expression.args)
    return name in TRANSLATORS


def is_given_to_translator(function: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    """Whether a function within another is called by what judges its errors."""
    name = getattr(function, "name", None)
    enclosing: ast.AST | None = parents.get(function)
    while enclosing is not None and not isinstance(enclosing, ast.FunctionDef):
        enclosing = parents.get(enclosing)
    if enclosing is None:
        return False
    return any(
        isinstance(node, ast.Call)
        and name_of(node.func) in TRANSLATORS
        and any(
            each is function
            or (name and isinstance(each, ast.Name) and each.id == name)
            for each in node.args
        )
        for node in ast.walk(enclosing)
    )


def are_callers_guarded(
    function: ast.FunctionDef,
    parents: dict[ast.AST, ast.AST],
    asked: frozenset[ast.AST],
) -> bool:
    """Whether each call of a private function stands where its errors become ours."""
    top: ast.AST = function
    while top in parents:
        top = parents[top]
    calls = [
        node
        for node in ast.walk(top)
        if isinstance(node, ast.Call)
        and name_of(node.func) == function.name
        and not is_within(node, function, parents)
    ]
    return bool(calls) and all(
        function_that_lets_out(call, parents, asked | {function}) is None
        for call in calls
    )


def is_within(
    node: ast.AST, function: ast.AST, parents: dict[ast.AST, ast.AST]
) -> bool:
    while node in parents:
        node = parents[node]
        if node is function:
            return True
    return False


@pytest.mark.parametrize(
    "path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_errors_of_the_system_leave_translated(path: Path) -> None:
    found = [
        place
        for place in unguarded_calls(path)
        if f"{place.module}:{place.function}" not in LET_OUT
    ]

    assert [str(each) for each in found] == []


@pytest.mark.parametrize("path", DATABASES, ids=lambda path: path.name)
def test_connections_to_databases_are_lent_where_errors_are_translated(
    path: Path,
) -> None:
    parents = parents_in(path)
    lent = [
        node
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in LENDING
        # A turn and a transaction begin as well, on what was lent.
        and not isinstance(node.func.value, ast.Name)
    ]

    raw = [
        (node.lineno, ast.unparse(node))
        for node in lent
        if function_that_lets_out(node, parents) is not None
    ]

    assert len(lent) >= 5
    assert raw == []


RAW = """
import os
from pathlib import Path

def {name}(path: Path) -> None:
    {body}
"""


@pytest.mark.parametrize(
    ("name", "body", "is_found"),
    [
        ("read", "os.open(path, 0)", True),
        ("read", "with path.open('rb') as file, translated(path): file.read()", True),
        ("read", "with translated(path), path.open('rb') as file: file.read()", False),
        ("_read", "path.unlink()", True),
        ("read", "'a b'.replace('a', 'b')", False),
    ],
)
def test_a_raw_call_is_found(
    tmp_path: Path, name: str, body: str, *, is_found: bool
) -> None:
    module = tmp_path / "module.py"
    module.write_text(RAW.format(name=name, body=body))

    assert bool(list(unguarded_calls(module))) is is_found
