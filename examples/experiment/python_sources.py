"""What the lesson on text does with sources of Python beside its model."""

import hashlib
import lzma
import math
import sysconfig
import zlib
from pathlib import Path

import click
import numpy as np

from experiment.prediction import load_model
from keras_multires.models import MultiresCausalLM

# Id 0 is padding, a byte has the id after its value.
END_OF_FILE = 257
VOCABULARY_SIZE = 258
# Tests are a large part of the library and unlike the rest. Packages that are
# installed beside it do not belong to it.
LEFT_OUT = {"test", "tests", "idle_test", "site-packages", "dist-packages"}
NUM_GENERATED = 500  # bytes of a text


def read_sources(num_bytes=None):
    """Sources of the standard library, split by the names of the files.

    Args:
        num_bytes: Optional integer, how many bytes of each part to read at
            most: whole files, in an order that is as good as random.

    Returns:
        Training, validation and test set, a list of bytes each: nine tenths of
        the files, a twentieth and a twentieth.
    """
    root = Path(sysconfig.get_path("stdlib"))
    draws = {}
    for path in root.rglob("*.py"):
        name = path.relative_to(root)
        # `_sysconfigdata` and the like depend on the machine.
        if LEFT_OUT.isdisjoint(name.parts) and not name.name.startswith("_sys"):
            # The same in any version and on any machine.
            draws[path] = hashlib.sha256(name.as_posix().encode()).digest()
    parts = [], [], []
    left = [math.inf if num_bytes is None else num_bytes] * len(parts)
    for path in sorted(draws, key=draws.get):
        part = {18: 1, 19: 2}.get(draws[path][0] % 20, 0)
        content = path.read_bytes()
        if len(content) <= left[part]:
            left[part] -= len(content)
            parts[part].append(content)
    return parts


def to_sequences(files, length):
    """Token ids of files one after the other, cut into sequences.

    Args:
        files: List of bytes.
        length: Integer, length of a sequence.

    Returns:
        `(inputs, targets)`: uint16 arrays `(n, length)` where each target is
        the token after the input. The last tokens, too few for a sequence, are
        left out.
    """
    end = np.array([END_OF_FILE], "uint16")
    # The first token is predicted, too, from the end of a file.
    tokens = [end]
    for content in files:
        tokens += [np.frombuffer(content, "uint8").astype("uint16") + 1, end]
    tokens = np.concatenate(tokens)
    whole = (len(tokens) - 1) // length * length
    return (
        tokens[:whole].reshape(-1, length),
        tokens[1 : whole + 1].reshape(-1, length),
    )


def bits_per_byte(nats_per_token, targets):
    """The loss of a language model, in another unit.

    The ends of files are no bytes, but the bits that they cost count.

    Args:
        nats_per_token: Float, the mean cross-entropy.
        targets: Array of token ids.
    """
    num_bytes = np.count_nonzero(targets != END_OF_FILE)
    return nats_per_token / math.log(2) * targets.size / num_bytes


def measure_baselines(training, test):
    """Bits per byte by compressors and by a model that looks two bytes back.

    Args:
        training: Bytes.
        test: Bytes.

    Returns:
        Dict from names to floats.
    """
    return {
        "zlib": 8 * len(zlib.compress(test, 9)) / len(test),
        "lzma": 8 * len(lzma.compress(test, preset=9)) / len(test),
        "order 2 model": bits_by_two_bytes(training, test),
    }


def bits_by_two_bytes(training, test):
    """Bits per byte of a model that counts what follows each two bytes.

    What followed `c` of `n` times, where `d` different bytes followed at least
    once, has the probability `(c + d p) / (n + d)`. Here `p` is the probability
    by one byte less (Witten and Bell, "The zero-frequency problem", 1991).

    Args:
        training: Bytes.
        test: Bytes.
    """
    training = np.frombuffer(training, "uint8").astype("int64")
    test = np.frombuffer(test, "uint8").astype("int64")
    probability = np.full(len(test), 1 / 256)
    for order in range(3):
        counts = np.bincount(
            _contexts(training, order) * 256 + training,
            minlength=256 ** (order + 1),
        ).reshape(-1, 256)
        total, different = counts.sum(axis=1), (counts > 0).sum(axis=1)
        context = _contexts(test, order)
        known = total[context] > 0
        mixed = counts[context, test] + different[context] * probability
        probability[known] = (mixed / (total + different)[context].clip(1))[
            known
        ]
    return float(-np.log2(probability).mean())


def _contexts(values, order):
    """The bytes before each byte, as one number; zeros before the first."""
    padded = np.concatenate([np.zeros(order, "int64"), values])
    return sum(
        256**lag * padded[order - 1 - lag : len(padded) - 1 - lag]
        for lag in range(order)
    ) + np.zeros_like(values)


def generate_texts(model, prompts, sampler):
    """Texts that begin with prompts and end at the end of a file at the latest.

    Args:
        model: A trained `MultiresCausalLM`.
        prompts: Strings.
        sampler: Sampler of keras-nlp.

    Returns:
        List of strings.
    """
    prompts = [
        # Python keeps bytes of the command line that are not text as
        # surrogates.
        [
            END_OF_FILE,
            *(byte + 1 for byte in prompt.encode(errors="surrogateescape")),
        ]
        for prompt in prompts
    ]
    generated = model.generate(
        prompts,
        max(map(len, prompts)) + NUM_GENERATED,
        sampler=sampler,
        stop_token_ids=END_OF_FILE,
    )
    return [_to_text(tokens) for tokens in generated]


def _to_text(tokens):
    """The text of token ids; what cannot be shown is replaced."""
    is_byte = (tokens > 0) & (tokens < END_OF_FILE)
    content = (tokens[is_byte] - 1).astype("uint8").tobytes()
    return "".join(
        character
        if character.isprintable() or character in "\n\t"
        else "\N{REPLACEMENT CHARACTER}"
        for character in content.decode(errors="replace")
    )


def generate(path, prompts, sampler):
    """Shows texts that a saved model generates.

    Args:
        path: `pathlib.Path` of a trained model.
        prompts: Strings.
        sampler: Sampler of keras-nlp.
    """
    model = load_model(path, MultiresCausalLM)
    vocabulary_size = model.backbone.vocabulary_size
    if vocabulary_size != VOCABULARY_SIZE:
        raise click.UsageError(
            f"--model: {str(path)!r} must hold a model of {VOCABULARY_SIZE} "
            f"tokens. Received a model of {vocabulary_size}. Was it trained by "
            "this example?"
        )
    for text in generate_texts(model, prompts, sampler):
        click.echo(text)
        click.echo("----")
