"""Loops compiled by numba. Import it only where one trains: importing numba takes a second."""

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


@numba.extending.intrinsic  # type: ignore[untyped-decorator]
def pointer_to(typing_context: Any, address: Any) -> Any:
    """In a compiled loop: the pointer to an address, for `numba.carray`. Whoever calls keeps what is there alive."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return numba.types.voidptr(address), code
