"""Writes Python, byte by byte: a language model of the standard library.

Trains a `MultiresCausalLM` on the sources of the standard library of the Python
that runs it, text that every machine has. keras-nlp samples from it:

    python -m pip install ".[jax,examples,nlp]"
    python examples/text.py

It is measured in bits per byte on files that it has not seen, beside zlib,
lzma, and a model that looks two bytes back. A trained model goes on with what
it is given:

    python examples/text.py --model runs/text/model.keras --generate 3 \\
        --prompt "def main(" --temperature 0.7 --seed 1
"""

import hashlib
import importlib.util
import lzma
import math
import platform
import sysconfig
import zlib
from pathlib import Path

import click
from command_line import Preset
from command_line import generation_options
from command_line import training_options

PRESETS = {
    "small": Preset(
        model={
            "hidden_dim": 128,
            "num_layers": 4,
            "independent_skip": True,
            "dropout": 0.0,
        },
        data={"length": 256, "num_bytes": 4_000_000},
        learning_rate=0.005,
        weight_decay=0.01,
        epochs=2,
        warmup_epochs=0.1,
        batch_size=16,
    ),
    "smoke": Preset(
        model={"hidden_dim": 8, "num_layers": 2},
        data={"length": 32, "num_bytes": 5000},
        learning_rate=0.01,
        weight_decay=0.01,
        epochs=2,
        batch_size=32,
    ),
}
# Id 0 is padding, a byte has the id after its value.
END_OF_FILE = 257
VOCABULARY_SIZE = 258
# Tests are much of the library and little like the rest; what is installed
# beside it, or depends on the machine, is none of it.
LEFT_OUT = {"test", "tests", "idle_test", "site-packages", "dist-packages"}
PROMPTS = ("import ", "def ", "class ")
NUM_GENERATED = 500  # bytes of a text


@click.command()
@training_options("runs/text", PRESETS)
@generation_options(
    "texts", "prompt", "TEXT", "What each of the texts begins with"
)
def main(options, model, generate, prompt, temperature):
    """Train a language model of bytes, or generate text with one."""
    if importlib.util.find_spec("keras_nlp") is None:
        raise click.UsageError(
            "keras-nlp, which samples the text, is not installed. "
            "Install it: pip install keras-nlp"
        )
    if generate:
        show_texts(model, [prompt or "\n"] * generate, temperature, options)
    else:
        train(options)


def train(options):
    import keras
    import numpy as np
    from experiment import draw_overview
    from experiment import report
    from training import Measure
    from training import Run

    from keras_multires.models import MultiresCausalLM

    run = Run("text", options)
    texts = read_sources(options.preset.data.get("num_bytes"))
    length = options.preset.data["length"]
    parts = [to_sequences(files, length) for files in texts]
    training, _, test = (b"".join(files) for files in texts)
    others = {
        "zlib": 8 * len(zlib.compress(test, 9)) / len(test),
        "lzma": 8 * len(lzma.compress(test, preset=9)) / len(test),
        "order_2_model": bits_by_two_bytes(training, test),
    }
    with run.scope():
        model = MultiresCausalLM(
            VOCABULARY_SIZE, length, **options.preset.model
        )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    measure = Measure("bits_per_byte", "val_loss", "min", ".3f")
    model, log = run.fit(model, *parts[:2], loss, measure)
    model.compile(loss=loss)
    nats = model.evaluate(
        *parts[2], batch_size=options.preset.batch_size, verbose=0
    )
    # The ends of the files cost bits, too, and are no bytes.
    targets = parts[2][1]
    num_bytes = np.count_nonzero(targets != END_OF_FILE)
    score = nats * targets.size / num_bytes / math.log(2)
    results = report(
        measure, score, "order_2_model", others["order_2_model"], log, parts
    )
    for name in ("zlib", "lzma"):
        click.echo(f"{name}: {others[name]:.3f}")
        results[f"{name}_test_bits_per_byte"] = round(others[name], 4)
    generated = generate_texts(model, PROMPTS, 1.0, options.seed)
    run.write_text("samples.txt", "\n\n----\n\n".join(generated) + "\n")
    source = (
        f"standard library of Python {platform.python_version()}, "
        f"{len(training):,} bytes"
    )
    figure = draw_overview(
        model,
        {name: [value / math.log(2) for value in log[name]] for name in log},
        f"Test set, {score:.3f} bits per byte",
        "bits per byte",
        {
            f"{name.replace('_', ' ')}, test": bits
            for name, bits in others.items()
        },
    )
    run.finish(model, log, source, results, {"overview.png": figure})


def read_sources(num_bytes=None):
    """Sources of the standard library, split by the names of the files.

    Args:
        num_bytes: Optional integer, how many bytes of each part to read at
            the most: whole files, in an order that is as good as random.

    Returns:
        Training, validation and test set, a list of bytes each: nine tenths of
        the files, and a twentieth twice.
    """
    root = Path(sysconfig.get_path("stdlib"))
    draws = {}
    for path in root.rglob("*.py"):
        name = path.relative_to(root)
        if LEFT_OUT.isdisjoint(name.parts) and not name.name.startswith("_sys"):
            # The same in any version, and on any machine.
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
    import numpy as np

    end = np.array([END_OF_FILE], "uint16")
    # The first is predicted, too, from the end of a file.
    tokens = [end]
    for content in files:
        tokens += [np.frombuffer(content, "uint8").astype("uint16") + 1, end]
    tokens = np.concatenate(tokens)
    whole = (len(tokens) - 1) // length * length
    return (
        tokens[:whole].reshape(-1, length),
        tokens[1 : whole + 1].reshape(-1, length),
    )


def bits_by_two_bytes(training, test):
    """Bits per byte of a model that counts what follows each two bytes.

    What followed `c` of `n` times, once or more each of `d` different bytes,
    has the probability `(c + d p) / (n + d)`, where `p` is that by one byte
    less (Witten and Bell, "The zero-frequency problem", 1991).

    Args:
        training: Bytes.
        test: Bytes.
    """
    import numpy as np

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
    import numpy as np

    padded = np.concatenate([np.zeros(order, "int64"), values])
    return sum(
        256**lag * padded[order - 1 - lag : len(padded) - 1 - lag]
        for lag in range(order)
    ) + np.zeros_like(values)


def generate_texts(model, prompts, temperature, seed):
    """Texts that begin with prompts, and end at the end of a file at the most.

    Args:
        model: A trained `MultiresCausalLM`.
        prompts: Strings.
        temperature: Positive float.
        seed: Integer.

    Returns:
        List of strings.
    """
    import keras_nlp

    prompts = [
        # Python keeps bytes of the command line that are no text as surrogates.
        [
            END_OF_FILE,
            *(byte + 1 for byte in prompt.encode(errors="surrogateescape")),
        ]
        for prompt in prompts
    ]
    sampler = keras_nlp.samplers.TopPSampler(
        0.9, temperature=temperature, seed=seed
    )
    generated = model.generate(
        prompts,
        max(map(len, prompts)) + NUM_GENERATED,
        sampler=sampler,
        stop_token_ids=END_OF_FILE,
    )
    return [to_text(tokens) for tokens in generated]


def to_text(tokens):
    """The text of token ids; what cannot be shown is replaced."""
    is_byte = (tokens > 0) & (tokens < END_OF_FILE)
    content = (tokens[is_byte] - 1).astype("uint8").tobytes()
    return "".join(
        character
        if character.isprintable() or character in "\n\t"
        else "\N{REPLACEMENT CHARACTER}"
        for character in content.decode(errors="replace")
    )


def show_texts(path, prompts, temperature, options):
    from prediction import load_model

    from keras_multires.models import MultiresCausalLM

    model = load_model(path)
    if (
        not isinstance(model, MultiresCausalLM)
        or model.vocabulary_size != VOCABULARY_SIZE
    ):
        raise click.UsageError(
            f"--model: {str(path)!r} must be a `MultiresCausalLM` of bytes, "
            f"and is {model}. Was it trained by this example?"
        )
    for text in generate_texts(model, prompts, temperature, options.seed):
        click.echo(text)
        click.echo("----")


if __name__ == "__main__":
    main()
