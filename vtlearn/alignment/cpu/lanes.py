"""Sixteen numbers at once: a vector type for numba, and what can be done with it.

LLVM turns each operation into one instruction of the processor at hand, or into the few that it
needs; left to itself it would have to prove, in each loop, that no two arrays overlap.
Operators work lane by lane. All functions here can be called from compiled code only.
"""

import operator
from collections.abc import Callable
from typing import Any, TypeVar

import numba
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, models, register_model
from numba.np.arrayobj import make_array

__all__: list[str] = []

LANES = 16
"""How many numbers a vector has: two registers of AVX2, so that one waits while one computes."""

BIAS = 127
"""What the exponent of a float32 is stored with."""

SIDE = 8
"""Of the squares in which numbers are turned from pair after pair to pair beside pair."""

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

_FLOAT, _INT, _BOOL = ir.FloatType(), ir.IntType(32), ir.IntType(1)
_MANTISSA_BITS = 23  # of a float32


class _Lanes(types.Type):
    def __init__(self, name: str, element: ir.Type) -> None:
        super().__init__(name=f"{LANES} x {name}")
        self.vector = ir.VectorType(element, LANES)


Floats, Ints, Bools = _Lanes("float32", _FLOAT), _Lanes("int32", _INT), _Lanes("bool", _BOOL)


@register_model(_Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, lanes: _Lanes) -> None:
        super().__init__(manager, lanes, lanes.vector)


def jit(function: FunctionT) -> FunctionT:
    """Compile a function when it is first called.

    Args:
        function: Plain Python on numbers, arrays and lanes.

    Returns:
        The function, which lets go of the interpreter's lock while it runs.
    """
    # what is left out would make it callable from Python too, for a fifth of the time that it takes
    compiled: FunctionT = numba.njit(
        error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True, no_rewrites=True
    )(function)
    return compiled


def inlined(function: FunctionT) -> FunctionT:
    """Let a function be compiled into those that call it: a call costs as much as a short row.

    Args:
        function: Plain Python on numbers, arrays and lanes.

    Returns:
        The function, to be called from compiled code only.
    """
    compiled: FunctionT = numba.njit(inline="always", error_model="numpy")(function)
    return compiled


def _function(
    takes: tuple[Any, ...], gives: Any, emit: Callable[..., Any]
) -> tuple[Any, Callable[..., Any]]:
    """Say what an intrinsic takes and gives, and how LLVM does it."""

    def lower(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        result = emit(
            builder,
            *(
                make_array(kind)(context, builder, value).data  # an array is where its data begin
                if isinstance(kind, types.Array)
                else value
                for kind, value in zip(sig.args, values, strict=True)
            ),
        )
        return context.get_dummy_value() if gives == types.void else result

    return gives(*takes), lower


def _overload(
    function: Any, *cases: tuple[tuple[_Lanes, _Lanes], _Lanes, Callable[..., Any]]
) -> None:
    """Give an operator a meaning for lanes: what it takes, what it gives, how LLVM does it."""

    class Template(AbstractTemplate):
        def generic(self, arguments: tuple[Any, ...], named: Any) -> Any:
            del named
            for takes, gives, _ in cases:
                if tuple(arguments) == takes:
                    return signature(gives, *takes)
            return None

    infer_global(function)(Template)
    for takes, gives, emit in cases:
        lower_builtin(function, *takes)(_function(takes, gives, emit)[1])


_overload(
    operator.add,
    ((Floats, Floats), Floats, ir.IRBuilder.fadd),
    ((Ints, Ints), Ints, ir.IRBuilder.add),
)
_overload(
    operator.sub,
    ((Floats, Floats), Floats, ir.IRBuilder.fsub),
    ((Ints, Ints), Ints, ir.IRBuilder.sub),
)
_overload(operator.mul, ((Floats, Floats), Floats, ir.IRBuilder.fmul))
_overload(operator.truediv, ((Floats, Floats), Floats, ir.IRBuilder.fdiv))
_overload(operator.and_, ((Bools, Bools), Bools, ir.IRBuilder.and_))
_overload(operator.lt, ((Ints, Ints), Bools, lambda to, a, b: to.icmp_signed("<", a, b)))
_overload(operator.ge, ((Ints, Ints), Bools, lambda to, a, b: to.icmp_signed(">=", a, b)))
_overload(operator.ne, ((Floats, Floats), Bools, lambda to, a, b: to.fcmp_unordered("!=", a, b)))


def _constant(element: ir.Type, *numbers: int) -> ir.Constant:
    return ir.Constant(ir.VectorType(element, len(numbers)), list(numbers))


def _all(number: int) -> ir.Constant:
    return _constant(_INT, *[number] * LANES)


def _call(to: Any, name: str, *values: Any) -> Any:
    kind = ir.FunctionType(values[0].type, [value.type for value in values])
    return to.call(cgutils.get_or_insert_function(to.module, kind, name), values)


def _address(to: Any, data: Any, at: Any, vector: ir.VectorType) -> Any:
    """Point at the numbers that begin at an index."""
    return to.bitcast(to.gep(data, [at], inbounds=True), vector.as_pointer())


def _lanes_of(number: Any) -> _Lanes:
    return Floats if number == types.float32 else Ints


@intrinsic
def load(_: Any, array: Any, at: Any) -> Any:
    """Read the numbers of a float32 or int32 array that begin at an index."""
    lanes = _lanes_of(array.dtype)

    def emit(to: Any, data: Any, start: Any) -> Any:
        return to.load(_address(to, data, start, lanes.vector), align=4)

    return _function((array, types.intp), lanes, emit)


@intrinsic
def store(_: Any, array: Any, at: Any, lanes: Any) -> Any:
    """Write numbers into an array from an index on."""

    def emit(to: Any, data: Any, start: Any, numbers: Any) -> None:
        to.store(numbers, _address(to, data, start, lanes.vector), align=4)

    return _function((array, types.intp, lanes), types.void, emit)


@intrinsic
def prefetch(_: Any, array: Any, at: Any) -> Any:
    """Ask for the memory at an index, which may lie outside, before it is needed."""

    def emit(to: Any, data: Any, start: Any) -> None:
        pointer = to.gep(data, [start])
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, _INT, _INT, _INT])
        hint = cgutils.get_or_insert_function(to.module, kind, "llvm.prefetch.p0")
        to.call(hint, [pointer, _INT(0), _INT(3), _INT(1)])

    return _function((array, types.intp), types.void, emit)


@jit
def fill(array: Any, start: int, count: int, number: Any) -> None:
    """Write a number into ``count`` vectors of an array, from an index on."""
    for k in range(start, start + count * LANES):
        array[k] = number


@intrinsic
def splat(_: Any, number: Any) -> Any:
    """Repeat a float32 or an int32 in every lane."""
    lanes = _lanes_of(number)

    def emit(to: Any, value: Any) -> Any:
        one = to.insert_element(ir.Constant(lanes.vector, ir.Undefined), value, _INT(0))
        return to.shuffle_vector(one, one, _all(0))

    return _function((number,), lanes, emit)


@intrinsic
def lane(_: Any, lanes: Any, at: Any) -> Any:
    """Take one number out."""
    number = types.float32 if lanes == Floats else types.int32
    return _function((lanes, types.intp), number, lambda to, *given: to.extract_element(*given))


@intrinsic
def with_lane(_: Any, lanes: Any, at: Any, number: Any) -> Any:
    """Put another number into one lane."""

    def emit(to: Any, values: Any, index: Any, value: Any) -> Any:
        return to.insert_element(values, value, index)

    return _function((lanes, types.intp, number), lanes, emit)


@intrinsic
def shift_up(_: Any, lanes: Any, number: Any) -> Any:
    """Move every number to the next lane, and put one into the first."""

    def emit(to: Any, values: Any, first: Any) -> Any:
        moved = to.shuffle_vector(values, values, _constant(_INT, 0, *range(LANES - 1)))
        return to.insert_element(moved, first, _INT(0))

    return _function((lanes, number), lanes, emit)


@intrinsic
def shift_down(_: Any, lanes: Any, number: Any) -> Any:
    """Move every number to the lane before, and put one into the last."""

    def emit(to: Any, values: Any, last: Any) -> Any:
        moved = to.shuffle_vector(values, values, _constant(_INT, *range(1, LANES), 0))
        return to.insert_element(moved, last, _INT(LANES - 1))

    return _function((lanes, number), lanes, emit)


@intrinsic
def multiply_add(_: Any, a: Any, b: Any, c: Any) -> Any:
    """Compute a b + c, rounded once where the processor can."""
    name = f"llvm.fmuladd.v{LANES}f32"
    return _function((a, b, c), Floats, lambda to, *given: _call(to, name, *given))


@intrinsic
def rounded(_: Any, a: Any) -> Any:
    """Round to whole numbers, kept as floats."""
    return _function((a,), Floats, lambda to, x: _call(to, f"llvm.rint.v{LANES}f32", x))


@intrinsic
def to_int(_: Any, a: Any) -> Any:
    """Turn whole floats into ints; what does not fit becomes any number."""
    return _function((a,), Ints, lambda to, x: to.fptosi(x, Ints.vector))


@intrinsic
def larger(_: Any, a: Any, b: Any) -> Any:
    """Take the larger of two ints."""
    return _function((a, b), Ints, _larger)


def _larger(to: Any, a: Any, b: Any) -> Any:
    return to.select(to.icmp_signed(">", a, b), a, b)


@intrinsic
def size(_: Any, a: Any) -> Any:
    """Read the size of a float as an int: the order stays, and NaN is above all."""

    def emit(to: Any, x: Any) -> Any:
        return to.and_(to.bitcast(x, Ints.vector), _all((1 << 31) - 1))

    return _function((a,), Ints, emit)


@intrinsic
def as_float(_: Any, a: Any) -> Any:
    """Read what :func:`size` made as floats again."""
    return _function((a,), Floats, lambda to, x: to.bitcast(x, Floats.vector))


@intrinsic
def select(_: Any, mask: Any, a: Any, b: Any) -> Any:
    """Take the first where the mask is true, else the second."""
    return _function((mask, a, b), a, lambda to, *given: to.select(*given))


@intrinsic
def power_of_two(_: Any, a: Any) -> Any:
    """Make the float 2 to the power of an int less :data:`BIAS`; it is 0 for negative ints."""

    def emit(to: Any, power: Any) -> Any:
        bits = to.shl(_larger(to, power, _all(0)), _all(_MANTISSA_BITS))
        return to.bitcast(bits, Floats.vector)

    return _function((a,), Floats, emit)


@intrinsic
def exponent(_: Any, a: Any) -> Any:
    """Find the largest power of two that a positive float holds, and add :data:`BIAS`."""

    def emit(to: Any, x: Any) -> Any:
        return to.lshr(to.bitcast(x, Ints.vector), _all(_MANTISSA_BITS))

    return _function((a,), Ints, emit)


@intrinsic
def mantissa(_: Any, a: Any) -> Any:
    """Divide a positive float by the power of two that it holds: at least 1, below 2."""

    def emit(to: Any, x: Any) -> Any:
        digits = to.and_(to.bitcast(x, Ints.vector), _all((1 << _MANTISSA_BITS) - 1))
        return to.bitcast(to.or_(digits, _all(BIAS << _MANTISSA_BITS)), Floats.vector)

    return _function((a,), Floats, emit)


@intrinsic
def transpose(
    _: Any, source: Any, start: Any, apart: Any, target: Any, start_of_target: Any, step: Any
) -> Any:
    """Read a square of rows that begin ``apart`` numbers apart, and write it turned."""
    index = types.intp
    row = ir.VectorType(_FLOAT, SIDE)

    def emit(to: Any, read: Any, at: Any, gap: Any, write: Any, into: Any, jump: Any) -> None:
        rows = []
        for _row in range(SIDE):
            rows.append(to.load(_address(to, read, at, row), align=4))
            at = to.add(at, gap)
        for turned in _transposed(to, rows):
            to.store(turned, _address(to, write, into, row), align=4)
            into = to.add(into, jump)

    takes = (source, index, index, target, index, index)
    return _function(takes, types.void, emit)


def _transposed(to: Any, rows: list[Any]) -> list[Any]:
    """Exchange blocks of 1, 2, 4 numbers between vectors as far apart."""
    width = 1
    while width < SIDE:
        odd = [k // width % 2 for k in range(SIDE)]
        low = [k + (SIDE - width) * odd[k] for k in range(SIDE)]
        high = [k + width for k in low]
        exchanged = list(rows)
        for k in range(SIDE):
            if not odd[k]:
                pair = rows[k], rows[k + width]
                exchanged[k] = to.shuffle_vector(*pair, _constant(_INT, *low))
                exchanged[k + width] = to.shuffle_vector(*pair, _constant(_INT, *high))
        rows = exchanged
        width *= 2
    return rows
