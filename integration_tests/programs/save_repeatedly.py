"""Saves a model to a file over and over, until killed, for `faults_test.py`.

    python integration_tests/programs/save_repeatedly.py FILE

prints a line before it begins.
"""

import sys

import keras

import keras_multires  # noqa: F401


def main(path):
    model = keras.models.load_model(path)
    print("saving", flush=True)
    while True:
        model.save(path)


if __name__ == "__main__":
    main(sys.argv[1])
