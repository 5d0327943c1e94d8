"""Prints the packages that `import keras_multires` adds to those of Keras.

For `package_test.py`.
"""

import sys

import keras  # noqa: F401


def loaded_packages():
    return {name.partition(".")[0] for name in sys.modules}


before = loaded_packages()

import keras_multires  # noqa: E402, F401

print(*sorted(loaded_packages() - before))
