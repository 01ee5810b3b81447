"""One call of a kernel as plain memory, which any thread can work on.

A thread takes the next chunk that nobody has taken yet, until there is none: all are busy to the
end, however unequal the pairs are and whatever else runs on their cores.
"""

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba.core import types
from numba.extending import intrinsic

from vtlearn.alignment.cpu.lanes import inlined

__all__: list[str] = []

_NUMBER, _ADDRESS = np.int64, np.int64


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


CALL = np.dtype(
    [
        ("taken", _NUMBER),  # how many chunks threads have begun; first, for next_chunk
        ("done", _NUMBER),  # how many they have finished; second, for chunk_done
        ("chunks", _NUMBER),
        ("parts", _NUMBER),  # what is shared: tiles or pairs
        ("block", _NUMBER),
        ("shape", _NUMBER, 3),  # clips, captions, pairs
        ("cost", _ADDRESS),
        ("cost_size", _NUMBER),
        ("strides", _NUMBER, 3),
        ("gradient", _ADDRESS),
        ("gradient_size", _NUMBER),
        ("gradient_strides", _NUMBER, 3),
        ("n", _ADDRESS),
        ("m", _ADDRESS),
        ("first", _ADDRESS),  # of a band, (clips, pairs)
        ("end", _ADDRESS),
        ("band_size", _NUMBER),
        ("value", _ADDRESS),
        ("fallback", _ADDRESS),
        ("has_dummies", _NUMBER),
        ("smoothing", _NUMBER),
        ("gamma", np.float64),
        ("dummy_m", np.float64),
        ("dummy_e", np.float64),
        # Numba keeps what it compiled by the types of arguments, and looks for changes in one file
        # only: so the type knows what all files here are.
        (f"made_of_{_fingerprint()}", _NUMBER),
    ]
)
"""Arguments of a kernel; arrays are where their memory begins."""


_BLANK = {name: (0, 0, 0) if CALL[name].shape else 0 for name in CALL.names or ()}


def packed(arguments: dict[str, object]) -> np.ndarray:
    """Write arguments into memory.

    Args:
        arguments: Some of the fields of :data:`CALL`; the others become zero.

    Returns:
        One :data:`CALL`. It keeps no array alive.
    """
    return np.array([tuple((_BLANK | arguments).values())], CALL)


def entry(function: Callable[[Any], None]) -> Callable[[], int]:
    """Compile what a thread does when it is first needed, and keep it on disk where possible.

    Args:
        function: Takes a pointer to a :data:`CALL`.

    Returns:
        What tells the address of the compiled function.
    """

    @functools.cache
    def compiled() -> Any:
        compiler = functools.partial(
            numba.cfunc,
            types.void(types.CPointer(numba.from_dtype(CALL))),
            error_model="numpy",
            no_rewrites=True,
        )
        try:
            return compiler(cache=True)(function)
        except RuntimeError as error:
            if "no locator" not in str(error):
                raise
            return compiler()(function)  # there is no folder that numba could write to

    def address() -> int:
        return int(compiled().address)

    address.__doc__ = function.__doc__
    return address


@intrinsic
def next_chunk(_: Any, pointer: Any) -> Any:
    """Take the next chunk of a call."""
    return _count(pointer, 0)


@intrinsic
def chunk_done(_: Any, pointer: Any) -> Any:
    """Say that a chunk is finished: an error in compiled code says nothing else."""
    return _count(pointer, 1)


def _count(pointer: Any, field: int) -> Any:
    def lower(context: Any, to: Any, sig: Any, values: Any) -> Any:
        del sig
        number = context.get_value_type(types.int64)
        counter = to.gep(to.bitcast(values[0], number.as_pointer()), [number(field)])
        return to.atomic_rmw("add", counter, number(1), "seq_cst")

    return types.int64(pointer), lower


@intrinsic
def _pointer_to(_: Any, address: Any) -> Any:
    def lower(context: Any, to: Any, sig: Any, values: Any) -> Any:
        return to.inttoptr(values[0], context.get_value_type(sig.return_type))

    return types.voidptr(types.int64), lower


@inlined
def array_of(address: int, size: int, dtype: Any) -> Any:
    """Show memory as a flat array."""
    return numba.carray(_pointer_to(address), (size,), dtype)


@inlined
def tables_of(call: Any, dtype: Any) -> Any:
    """Show a call's cost, gradient and value."""
    return (
        array_of(call.cost, call.cost_size, dtype),
        array_of(call.gradient, call.gradient_size, dtype),
        array_of(call.value, call.shape[2], dtype),
    )


@inlined
def lengths_of(call: Any) -> Any:
    """Show how many clips and captions of each pair are valid."""
    pairs = call.shape[2]
    return array_of(call.n, pairs, np.int64), array_of(call.m, pairs, np.int64)


@inlined
def columns_of(call: Any) -> Any:
    """Show the first and the last captions of a call's bands, empty where it has none."""
    size = call.band_size
    return array_of(call.first, size, np.int64), array_of(call.end, size, np.int64)


@inlined
def three(numbers: Any) -> Any:
    """Take three numbers out of a field."""
    return numbers[0], numbers[1], numbers[2]


@inlined
def chunk_range(parts: int, chunk: int, chunks: int) -> Any:
    """Find the first part of a chunk, and the one after its last."""
    return parts * chunk // chunks, parts * (chunk + 1) // chunks
