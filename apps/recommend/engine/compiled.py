"""Loops compiled by numba, for training and for serving, where one loop replaces twenty calls of NumPy.

Importing numba takes a second: what commands import too imports its loops where it runs them.
"""

from collections.abc import Callable
from typing import Any

import numba
import numba.extending


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` as machine code that lets other threads run; floating-point sums may be taken in any order."""
    try:
        return numba.njit(nogil=True, fastmath=True, cache=True)(function)
    except RuntimeError:  # nowhere to keep the result: compile anew in each process
        return numba.njit(nogil=True, fastmath=True)(function)


def compiled_exactly(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same, with floating-point numbers as IEEE 754 has them: NaN is NaN, and sums keep their order."""
    try:
        return numba.njit(nogil=True, cache=True)(function)
    except RuntimeError:  # nowhere to keep the result: compile anew in each process
        return numba.njit(nogil=True)(function)


def _pointer_to(typing_context: Any, address: Any) -> Any:
    """In a compiled loop: the pointer to an address, for `numba.carray`. Whoever calls keeps what is there alive."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return numba.types.voidptr(address), code


pointer_to: Any = numba.extending.intrinsic(_pointer_to)


@numba.extending.intrinsic
def float_of_bits(typing_context: Any, bits: Any) -> Any:
    """In a compiled loop: the number of single precision that has these 32 bits."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(signature.return_type))

    return numba.types.float32(numba.types.int32), code


def read_only(number: Any, dimensions: int = 1) -> Any:
    """The type of C-contiguous arrays of such numbers that a loop only reads, writable or mapped from a file alike."""
    return numba.types.Array(number, dimensions, "C", readonly=True)


def compiled_for(*arguments: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """For loops that serve: machine code for arguments of these types alone, made on import and not by a request.

    Unlike `compiled`, it keeps the order of sums and knows NaN.
    """

    def make(function: Callable[..., Any]) -> Callable[..., Any]:
        try:
            return numba.njit(arguments, nogil=True, cache=True)(function)
        except RuntimeError:  # as above
            return numba.njit(arguments, nogil=True)(function)

    return make
