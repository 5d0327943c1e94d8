"""Spectra for linear convolution: a product of two is that of their signals.

The FFT of a signal holds a circular convolution, which wraps around. There are
two ways out, each the faster one for some backend on 2 CPU cores:

- Zeros after the signal, as many as its length, and a real FFT. PyTorch's is
  fast, and it has no compiler that would fuse what the other way needs.
- An FFT without zeros, "twisted" to evaluate the polynomial `sum_n x[n] z^n`
  not at the roots of 1 but at the `L` numbers `z` with `z^L = i`: that of `x`
  times a complex exponential that makes a quarter turn. In a product of
  polynomials `z^L` then counts as `i`, so that what is wrapped around comes
  back as the imaginary part, and the real part is the linear convolution. The
  complex FFTs of JAX and TensorFlow are faster than their real ones of twice
  the length.

Source of the second: "right-angle convolution" in Crandall and Fagin,
"Discrete weighted transforms and large-integer arithmetic", Mathematics of
Computation 62, 1994.

Spectra are complex tensors of the backend. Keras's own FFTs give two real ones,
whose product takes six operations where nothing fuses them.
"""

import keras
import numpy as np
from keras import ops


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


def spectra(length):
    """How spectra of signals of up to `length` time steps are computed.

    Args:
        length: Integer, at most so many steps of a convolution are wanted.

    Returns:
        A `RealSpectra` or a `TwistedSpectra`, whose methods are

        - `forward(signal)`: the spectrum of a tensor `(.., steps, channels)`,
          float32 or float64;
        - `inverse(spectrum, steps)`: the first steps of its signal,
          `(.., steps, channels)`;
        - `conjugate(spectrum)`: the spectrum of the signal reversed in time;
        - `sum(spectra)`: the sum over the first axis.
    """
    return {
        "jax": JaxSpectra,
        "tensorflow": TensorFlowSpectra,
        "torch": RealSpectra,
    }[keras.backend.backend()](fast_length(length))


class RealSpectra:
    """Real FFTs of PyTorch, of signals followed by zeros."""

    def __init__(self, length):
        self.length = 2 * length

    def forward(self, signal):
        import torch

        return torch.fft.rfft(ops.swapaxes(signal, -1, -2), self.length)

    def inverse(self, spectrum, steps):
        import torch

        signal = torch.fft.irfft(spectrum, self.length)[..., :steps]
        # Laid out anew: what follows, step by step, would have to be otherwise.
        return ops.swapaxes(signal, -1, -2).contiguous()

    def conjugate(self, spectrum):
        # PyTorch notes that a tensor is conjugate; a product with one is slow.
        return spectrum.conj().resolve_conj()

    def sum(self, spectra):
        return spectra.sum(0)


class TwistedSpectra:
    """Complex FFTs of signals times a quarter turn."""

    def __init__(self, length):
        self.length = length

    def _quarter_turn(self, steps, dtype):
        angle = np.pi / 2 / self.length * np.arange(steps)
        return (
            ops.convert_to_tensor(part, dtype=dtype)
            for part in (np.cos(angle), np.sin(angle))
        )

    def forward(self, signal):
        signal = ops.swapaxes(signal, -1, -2)
        steps = signal.shape[-1]
        parts = [
            signal * part for part in self._quarter_turn(steps, signal.dtype)
        ]
        if steps < self.length:
            zeros = (0, self.length - steps)
            padding = [(0, 0)] * (len(signal.shape) - 1) + [zeros]
            parts = [ops.pad(part, padding) for part in parts]
        return self.fft(self.complex(*parts))

    def inverse(self, spectrum, steps):
        turned = self.ifft(spectrum)[..., :steps]
        cos, sin = self._quarter_turn(steps, self.real(turned).dtype)
        signal = self.real(turned * self.complex(cos, -sin))
        return ops.swapaxes(signal, -1, -2)


class JaxSpectra(TwistedSpectra):
    def complex(self, real, imaginary):
        import jax

        return jax.lax.complex(real, imaginary)

    def fft(self, signal):
        import jax

        return jax.numpy.fft.fft(signal)

    def ifft(self, spectrum):
        import jax

        return jax.numpy.fft.ifft(spectrum)

    def real(self, tensor):
        return tensor.real

    def conjugate(self, spectrum):
        return spectrum.conj()

    def sum(self, spectra):
        return spectra.sum(0)


class TensorFlowSpectra(TwistedSpectra):
    def complex(self, real, imaginary):
        import tensorflow as tf

        return tf.complex(real, imaginary)

    def fft(self, signal):
        import tensorflow as tf

        return tf.signal.fft(signal)

    def ifft(self, spectrum):
        import tensorflow as tf

        return tf.signal.ifft(spectrum)

    def real(self, tensor):
        import tensorflow as tf

        return tf.math.real(tensor)

    def conjugate(self, spectrum):
        import tensorflow as tf

        return tf.math.conj(spectrum)

    def sum(self, spectra):
        import tensorflow as tf

        return tf.reduce_sum(spectra, 0)
