# SPDX-License-Identifier: Apache-2.0
"""Where a source file decides, and how each decision is switched off.

Five kinds of change, each found in the syntax tree and none written to a file:

- ``rule``: the predicate of a row `Rule(...)` always holds;
- ``check``: an ``if`` is never entered;
- ``handler``: an ``except`` that ends in a refusal lets everything pass;
- ``part``: one side of an ``and`` or ``or`` is left out;
- ``border``: one ``<`` becomes ``<=``, or the reverse; ``>`` likewise.

What a rule says to people when it does not hold decides nothing, and is left as it is.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What is changed."""

    RULE = "rule"
    CHECK = "check"
    HANDLER = "handler"
    PART = "part"
    BORDER = "border"


@dataclass(frozen=True)
class Site:
    """One change that can be made to a tree.

    Attributes:
        kind: what it is.
        line: where.
        text: the code that is changed.
        edit: makes the change, in the tree that it was found in.
    """

    kind: Kind
    line: int
    text: str
    edit: Callable[[], None]


Node = ast.expr | ast.stmt | ast.ExceptHandler
PREDICATE = 2  # the argument of `Rule`
ALWAYS = "lambda *_: True"
BORDERS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
}


def sites(tree: ast.Module) -> list[Site]:
    """Every change that can be made to the tree, in the order of its lines."""
    return sorted(_sites(tree), key=lambda site: (site.line, site.kind, site.text))


def mutate(source: str, number: int) -> ast.Module:
    """The tree of ``source`` with the change of that number made."""
    tree = ast.parse(source)
    sites(tree)[number].edit()
    return ast.fix_missing_locations(tree)


def _sites(tree: ast.Module) -> Iterator[Site]:
    texts: set[ast.AST] = set()
    for node in ast.walk(tree):  # a parent comes before its children
        if node in texts:
            continue
        if isinstance(node, ast.Call) and _name(node.func) == "Rule" and len(node.args) > PREDICATE:
            texts.update(part for text in node.args[PREDICATE + 1 :] for part in ast.walk(text))
            yield _site(Kind.RULE, node, ast.unparse(node.args[1]), _always(node))
        elif isinstance(node, ast.If):
            yield _site(Kind.CHECK, node, ast.unparse(node.test), _never(node))
        elif isinstance(node, ast.ExceptHandler) and _refuses(node.body):
            caught = ast.unparse(node.type) if node.type else ""
            yield _site(Kind.HANDLER, node, f"except {caught}", _pass(node))
        elif isinstance(node, ast.BoolOp):
            for number, value in enumerate(node.values):
                text = f"{ast.unparse(value)} of {ast.unparse(node)}"
                yield _site(Kind.PART, node, text, _drop(node, number))
        elif isinstance(node, ast.Compare):
            for number, operator in enumerate(node.ops):
                if type(operator) in BORDERS:
                    text = f"{type(operator).__name__} of {ast.unparse(node)}"
                    yield _site(Kind.BORDER, node, text, _shift(node, number))


def _refuses(body: list[ast.stmt]) -> bool:
    """Whether a block ends in raising, or notes or returns a `Finding`."""
    last = body[-1]
    return isinstance(last, ast.Raise) or any(
        isinstance(node, ast.Call) and _name(node.func) in {"Finding", "error"}
        for node in ast.walk(last)
    )


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _site(
    kind: Kind, node: ast.expr | ast.stmt | ast.ExceptHandler, text: str, edit: Callable[[], None]
) -> Site:
    return Site(kind, node.lineno, " ".join(text.split()), edit)


def _always(call: ast.Call) -> Callable[[], None]:
    def edit() -> None:
        call.args[PREDICATE] = ast.parse(ALWAYS, mode="eval").body

    return edit


def _never(branch: ast.If) -> Callable[[], None]:
    def edit() -> None:
        branch.test = ast.Constant(False)

    return edit


def _pass(handler: ast.ExceptHandler) -> Callable[[], None]:
    def edit() -> None:
        handler.body = [ast.Pass()]

    return edit


def _drop(operation: ast.BoolOp, number: int) -> Callable[[], None]:
    def edit() -> None:
        operation.values[number] = ast.Constant(isinstance(operation.op, ast.And))

    return edit


def _shift(comparison: ast.Compare, number: int) -> Callable[[], None]:
    def edit() -> None:
        comparison.ops[number] = BORDERS[type(comparison.ops[number])]()

    return edit
