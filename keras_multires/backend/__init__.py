"""What differs between the backends of Keras, and nothing else.

One of the modules `jax`, `tensorflow` and `torch` is picked once, as Keras
picks its own. Each offers the same functions with the same signatures, so the
rest of the library need not ask which backend runs:

Arrays and symbols

- `NAME`: the backend's name.
- `dtype_name(tensor)`: name of a tensor's dtype, such as `"float32"`.
- `has_values(tensor)`: whether a tensor holds values or only stands for some.
- `is_exporting()`: whether the running call is traced for an exported file.

"""

import keras

NAME = keras.backend.backend()

if NAME == "jax":
    from keras_multires.backend.jax import *  # noqa: F403
elif NAME == "tensorflow":
    from keras_multires.backend.tensorflow import *  # noqa: F403
elif NAME == "torch":
    from keras_multires.backend.torch import *  # noqa: F403
else:
    raise ImportError(
        "keras_multires runs on the backends jax, tensorflow and torch. "
        f"Received: KERAS_BACKEND={NAME!r}"
    )
