"""Functions that several threads call at the same moment."""

import threading

NUM_THREADS = 8
CALLS = 3


def check_in_threads(run, check):
    """Checks that each of eight threads gets what one alone gets.

    Args:
        run: Takes a thread's number and returns an array.
        check: Called with an array that a thread received and the one that is
            expected, such as `np.testing.assert_array_equal`.
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
            check(array, expected[number])
