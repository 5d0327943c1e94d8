"""Prints what `import keras_multires` imports besides Keras.

For `package_test.py`.
"""

import sys

import keras  # noqa: F401

before = set(sys.modules)

import keras_multires  # noqa: E402, F401

new = {name.partition(".")[0] for name in set(sys.modules) - before}
print(*sorted(new))
