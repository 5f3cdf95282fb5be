"""What a completion computes: the steps of its program and the equations of its prose, as numbers. Pure.

A program is never executed here: its syntax tree is walked, assignment by assignment, over plain arithmetic. What the
walk cannot follow (loops, branches, calls of other functions) has no value, so that it counts for nothing. The tree
comes from Python's own parser, which is kept to sources that the sandbox would run; anything may be in a completion,
and no text raises.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from echochamber.formats import BY_LABEL
from echochamber.formats.classification import clean
from echochamber.formats.tinygsm import definition
from echochamber.verify.programs import cells, function_source
from echochamber.verify.reasoning.equations import Computation, Number, apply, equations, exact, size
from echochamber.verify.sandbox import SOURCE

DEEPEST = 60
"""Levels of nested expressions that are followed."""
_OUTPUT = re.compile(r"<llm-code-output>\s*(-?[0-9]{1,15}(?:\.[0-9]{1,6})?)\s*</llm-code-output>")
_BLOCK = re.compile(r"<llm-code(-output)?>.*?(?:</llm-code\1>|\Z)", re.DOTALL)
_COMMENT = re.compile(r"(?<![\"'])#([^\n]*)")
_SYMBOLS: dict[type, str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Pow: "**"}


@dataclass(slots=True)
class Trace:
    """The arithmetic of one completion, in order."""

    computed: list[Computation] = field(default_factory=list)
    """Operations that were carried out, each from the numbers that stood there; none of a false equation."""
    false: list[str] = field(default_factory=list)
    """Equations that do not hold, as written."""
    taken: list[Number] = field(default_factory=list)
    """Numbers that the text took from elsewhere: operands that it had not computed or stated as a result before."""
    value: Number | None = None
    """What the program gives in the end."""
    _results: set[Number] = field(default_factory=set)

    def take(self, value: Number) -> None:
        if value not in self._results:
            self.taken.append(value)

    def result(self, value: Number | None) -> None:
        if value is not None:
            self._results.add(value)


def trace(completion: str, format: str) -> Trace:
    """Read a completion of the given format (a label of `settings.FORMATS`)."""
    text = clean(completion)
    steps = Trace()
    form = BY_LABEL[format]
    if form.program == "function":
        source = function_source(text, max(definition(text), 0))
        tree = parse(source)
        if tree is not None:
            named = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
            bodies = (n.body for n in tree.body if isinstance(n, named) and n.name == "simple_math_problem")
            body = next(bodies, tree.body)
            _walk(body, {}, steps)
            _prose(_comments(source), steps)
        return steps
    if form.program == "notebook":
        source = "\n".join(cells(text)[0])
        tree = parse(source)
        if tree is not None:
            _walk(tree.body, {}, steps)
            _prose(_comments(source), steps)
        outputs = _OUTPUT.findall(text)
        if outputs:
            stated = exact(Fraction(outputs[-1]))
            if steps.value is not None and stated is not None and size(stated - steps.value) > Fraction(1, 10**6):
                steps.false.append(f"program gives {_plain(steps.value)}, stated output {outputs[-1]}")
            steps.result(stated)
        _prose(_BLOCK.sub("\n", text), steps)
        return steps
    if form.executed is not None:
        _prose(text, steps)
    return steps


def _prose(text: str, steps: Trace) -> None:
    for equation in equations(text):
        for number in equation.numbers:
            steps.take(number)
        for value in equation.values:
            steps.result(value)
        if equation.holds:
            steps.computed.extend(equation.computed)
        else:
            steps.false.append(equation.text)


def _comments(source: str | None) -> str:
    return "\n".join(m[1] for m in _COMMENT.finditer(source)) if source and "#" in source else ""


def _plain(value: Number) -> str:
    return str(value) if isinstance(value, int) else f"{float(value):g}"


# --- programs --------------------------------------------------------------------------------------------------------


def parse(source: str | None) -> ast.Module | None:
    """The syntax tree of a program; none if it has no valid syntax, or is longer than the sandbox takes."""
    if not source or len(source) > SOURCE:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None


def _walk(body: list[ast.stmt], names: dict[str, Number | None], steps: Trace) -> None:
    """Follow straight-line statements up to the first `return`."""
    for statement in body:
        if isinstance(statement, ast.Assign):
            value = _value(statement.value, names, steps, 0)
            for target in statement.targets:
                for name in _targets(target):
                    names[name] = value if isinstance(target, ast.Name) else None
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            value = _value(statement.value, names, steps, 0) if statement.value is not None else None
            names[statement.target.id] = value
        elif isinstance(statement, ast.AugAssign) and isinstance(statement.target, ast.Name):
            added = _value(statement.value, names, steps, 0)
            symbol = _SYMBOLS.get(type(statement.op))
            names[statement.target.id] = _apply(symbol, names.get(statement.target.id), added, steps)
        elif isinstance(statement, ast.Return):
            steps.value = _value(statement.value, names, steps, 0) if statement.value is not None else None
            return
        elif isinstance(statement, ast.Expr):
            steps.value = _value(statement.value, names, steps, 0)
        elif not isinstance(statement, ast.Import | ast.ImportFrom | ast.Pass):
            for node in ast.walk(statement):  # what a branch or a loop may have changed is not known any more
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    names[node.id] = None


def _targets(target: ast.expr) -> Iterator[str]:
    return (node.id for node in ast.walk(target) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))


def _value(node: ast.expr, names: dict[str, Number | None], steps: Trace, depth: int) -> Number | None:
    if isinstance(node, ast.Constant):
        value = number(node.value)
        if value is not None:
            steps.take(value)
        return value
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if depth == DEEPEST:
        return None
    if isinstance(node, ast.BinOp):
        # A long chain of one kind leans to the left: it is followed without going down.
        chain = [node]
        while isinstance(chain[-1].left, ast.BinOp):
            chain.append(chain[-1].left)
        value = _value(chain[-1].left, names, steps, depth + 1)
        for link in reversed(chain):
            value = _apply(_SYMBOLS.get(type(link.op)), value, _value(link.right, names, steps, depth + 1), steps)
        return value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        value = _value(node.operand, names, steps, depth + 1)
        return value if value is None or isinstance(node.op, ast.UAdd) else -value
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return _called(node.func.id, node.args, names, steps, depth + 1)
    return None


def _called(
    name: str, arguments: list[ast.expr], names: dict[str, Number | None], steps: Trace, depth: int
) -> Number | None:
    """`int`, `float`, `round`, `print` of one number, `sum` of a list; other calls have no value."""
    if name == "sum" and len(arguments) == 1 and isinstance(arguments[0], ast.List | ast.Tuple):
        total: Number | None = None
        for i, item in enumerate(arguments[0].elts):
            value = _value(item, names, steps, depth)
            total = value if i == 0 else _apply("+", total, value, steps)
        return total
    values = [_value(argument, names, steps, depth) for argument in arguments]
    if len(values) == 1 and values[0] is not None:
        if name in ("float", "print"):
            return values[0]
        if name in ("int", "round"):
            return int(values[0]) if name == "int" else round(values[0])
    return None


def _apply(symbol: str | None, a: Number | None, b: Number | None, steps: Trace) -> Number | None:
    if symbol is None or a is None or b is None:
        return None
    value, computation = apply(symbol, a, b)
    if computation is not None:
        steps.computed.append(computation)
    steps.result(value)
    return value


def number(value: object) -> Number | None:
    """The exact value of a literal: 0.1 is a tenth."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, int):
        return exact(value)
    return exact(Fraction(repr(value))) if abs(value) <= 1e15 else None
