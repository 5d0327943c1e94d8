"""The multiresolution layer as anyone would write it in PyTorch.

Straight from the mathematics: level by level a pad, two grouped dilated
convolutions and a weighted sum, in PyTorch's own layout `(batch, channels,
length)`. It is what the library is compared with; nothing here is tuned.
"""

import torch
from torch import nn
from torch.nn import functional

from keras_multires.ops import default_depth


def uniform(*shape, bound):
    return nn.Parameter(torch.empty(*shape).uniform_(-bound, bound))


class PlainMultiresLayer(nn.Module):
    """Linear readout of the "fading" memory.

    Args:
        channels: Integer.
        length: Integer, time steps that the levels must cover.
        kernel_size: Integer, taps `K` of the two filters.
    """

    def __init__(self, channels, length, kernel_size=2):
        super().__init__()
        self.kernel_size = kernel_size
        self.depth = default_depth(length, kernel_size)
        bound = kernel_size**-0.5
        self.scaling_filter = uniform(channels, 1, kernel_size, bound=bound)
        self.wavelet_filter = uniform(channels, 1, kernel_size, bound=bound)
        memory_length = self.depth + 2  # with the skip connection
        self.weights = uniform(
            channels, memory_length, bound=memory_length**-0.5
        )

    def forward(self, inputs):
        approximation = inputs
        outputs = inputs * self.weights[:, -1:]
        for level in range(self.depth):
            convolution = {"dilation": 2**level, "groups": inputs.shape[1]}
            padding = 2**level * (self.kernel_size - 1)
            padded = functional.pad(approximation, (padding, 0))
            detail = functional.conv1d(
                padded, self.wavelet_filter, **convolution
            )
            approximation = functional.conv1d(
                padded, self.scaling_filter, **convolution
            )
            outputs = outputs + self.weights[:, -2 - level, None] * detail
        return outputs + self.weights[:, :1] * approximation


class PlainBlock(nn.Module):
    def __init__(
        self, channels, length, kernel_size, normalization, dropout, projects
    ):
        super().__init__()
        self.layer = PlainMultiresLayer(channels, length, kernel_size)
        self.dropout = nn.Dropout1d(dropout)
        self.mixing = nn.Conv1d(channels, 2 * channels, 1)
        self.projection = nn.Conv1d(channels, channels, 1) if projects else None
        self.is_batch_norm = normalization == "batch"
        if self.is_batch_norm:
            self.norm = nn.BatchNorm1d(channels)
        else:
            self.norm = nn.LayerNorm(channels)

    def forward(self, inputs):
        outputs = self.dropout(functional.gelu(self.layer(inputs)))
        outputs = self.dropout(functional.glu(self.mixing(outputs), dim=1))
        if self.projection is not None:
            outputs = self.projection(outputs)
        outputs = inputs + outputs
        if self.is_batch_norm:
            return self.norm(outputs)
        return self.norm(outputs.transpose(1, 2)).transpose(1, 2)


class PlainModel(nn.Module):
    """Classifier, or a predictor of every next step.

    Args:
        outputs: Integer, numbers that the model gives, for a sequence or for
            every step.
        is_causal: Whether it predicts every next step.
        length: As in `MultiresClassifier`, as all further arguments.
    """

    def __init__(
        self,
        outputs,
        is_causal,
        length,
        input_channels=None,
        vocabulary_size=None,
        hidden_dim=256,
        num_layers=10,
        kernel_size=2,
        normalization="layer",
        dropout=0.1,
        **_,
    ):
        super().__init__()
        self.is_causal = is_causal
        if vocabulary_size is None:
            self.encoder = nn.Linear(input_channels, hidden_dim)
        else:
            self.encoder = nn.Embedding(vocabulary_size, hidden_dim)
        self.blocks = nn.Sequential(
            *[
                PlainBlock(
                    hidden_dim,
                    length,
                    kernel_size,
                    normalization,
                    dropout,
                    projects=is_causal,
                )
                for _ in range(num_layers)
            ]
        )
        self.head = nn.Linear(hidden_dim, outputs)

    def forward(self, inputs):
        if self.is_causal:
            inputs = functional.pad(inputs, (0, 0, 1, 0))[:, :-1]
        outputs = self.encoder(inputs).transpose(1, 2)
        outputs = self.blocks(outputs).transpose(1, 2)
        if not self.is_causal:
            outputs = outputs.mean(1)
        return self.head(outputs)


def training_step(model, loss, inputs, targets):
    """A function of no arguments that trains `model` on one batch."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)

    def step():
        optimizer.zero_grad()
        value = loss(targets, model(inputs))
        value.backward()
        optimizer.step()
        return value

    return step
