"""Soft-DTW compiled for the CPU by numba; nothing here is imported before it is first needed.

``lanes`` gives numba a type: sixteen numbers on which the processor computes at once. ``exponents``
holds the arithmetic: a path's probability is a mantissa and an exponent of its own, so the
recursion adds and multiplies where the textbook takes logarithms of sums of exponentials, and it
neither overflows nor loses digits as the path grows. ``tiles`` solves many pairs, a pair a lane;
``strips`` few long ones, a clip a lane; ``exact`` any pair, one after the other in float64: the
hard minimum, and costs whose powers would leave the range of an exponent. A call of one of them is
a piece of memory (``calls``) that several threads work on (``thread_pool``).

Numba keeps what it compiled beside these files, and compiles anew what was made of other ones.
"""

__all__: list[str] = []
