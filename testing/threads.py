"""Functions that several threads call at the same moment."""

import threading

import numpy as np

NUM_THREADS = 8
CALLS = 3


def check_in_threads(run):
    """Checks that each of eight threads gets what one alone gets.

    Args:
        run: Function of a thread's number that returns an array.
    """
    expected = [run(number) for number in range(NUM_THREADS)]
    received = {}
    start = threading.Barrier(NUM_THREADS)

    def work(number):
        start.wait()
        received[number] = [run(number) for _ in range(CALLS)]

    threads = [
        threading.Thread(target=work, args=(number,))
        for number in range(NUM_THREADS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # A thread that failed is missing.
    assert sorted(received) == list(range(NUM_THREADS))
    for number, arrays in received.items():
        for array in arrays:
            np.testing.assert_allclose(array, expected[number], atol=1e-5)
