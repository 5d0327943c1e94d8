from keras_multires.backend._fft_lengths import fast_length


def has_small_factors(number):
    for factor in (2, 3, 5):
        while number % factor == 0:
            number //= factor
    return number == 1


def test_fast_length_is_the_next_number_of_small_factors():
    for minimum in range(1, 700):
        expected = minimum
        while not has_small_factors(expected):
            expected += 1
        assert fast_length(minimum) == expected
