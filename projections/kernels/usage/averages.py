"""Averages: the one place where a number is rounded."""


def average_units(units: int, count: int) -> int:
    """Divide a sum by how many were added up, in whole units of 10**-12.

    What lies between two units is rounded to the nearer one, and a half to the even one
    (IEEE 754 calls it roundTiesToEven), so that many averages are not biased. Nothing
    else that is computed of usage is rounded.

    Args:
        units: the sum.
        count: at least 1.
    """
    assert count > 0, "an average is of something"
    quotient, rest = divmod(units, count)
    is_above_half = 2 * rest > count or (2 * rest == count and quotient % 2 == 1)
    return quotient + is_above_half
