"""Lengths at which FFTs are fast."""

import functools


@functools.lru_cache
def fast_length(minimum):
    """Smallest number with no prime factor above 5 that is >= `minimum`.

    FFTs of such lengths, and of twice their length, are fast everywhere.
    """
    best = 2 ** (minimum - 1).bit_length()
    power_of_5 = 1
    while power_of_5 < best:
        odd = power_of_5
        while odd < best:
            # The smallest power of two that reaches the minimum.
            quotient = -(-minimum // odd)
            best = min(best, odd * 2 ** (quotient - 1).bit_length())
            odd *= 3
        power_of_5 *= 5
    return best
