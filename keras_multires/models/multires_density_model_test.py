import itertools

import keras
import numpy as np
import pytest
from keras import ops

from keras_multires.distributions import DiscretizedLogisticMixture
from keras_multires.models import MultiresDensityModel
from testing.backends import MODES
from testing.backends import run_function
from testing.models import density_model
from testing.published import set_published_weights
from testing.references import slow_images

SMALL = {"num_mixtures": 3, "hidden_dim": 8, "num_layers": 2}


def small_model(length=20, input_channels=1, **options):
    shape = {"length": length, "input_channels": input_channels}
    return density_model(**{**SMALL, **shape, **options})


@pytest.fixture(scope="module", params=[1, 3])
def model(request):
    keras.utils.set_random_seed(0)
    return small_model(20, request.param)


def random_images(model, num_images=2, seed=0):
    rng = np.random.default_rng(seed)
    shape = (num_images, *model.built_shape[1:])
    return (rng.integers(256, size=shape) / 127.5 - 1).astype("float32")


def generate(model, *arguments, **options):
    return ops.convert_to_numpy(model.generate(*arguments, **options))


def run(function, *arguments):
    return ops.convert_to_numpy(function(*arguments))


# Of PyTorch's compiler only the layer is tested.
@pytest.mark.parametrize("mode", [m for m in MODES if m != "compile"])
@pytest.mark.parametrize("algorithm", ["tree", "fft"])
def test_outputs_are_those_of_the_published_model(golden, algorithm, mode):
    config, arrays = golden("autoregressive_rgb")
    model = density_model(**config, algorithm=algorithm)
    set_published_weights(model, "autoregressive_rgb")
    inputs = ops.convert_to_tensor(arrays["inputs"], dtype="float32")
    outputs = run(run_function(model, mode), inputs)
    np.testing.assert_allclose(outputs, arrays["outputs"], atol=1e-5)


def test_the_preset_has_the_published_number_of_parameters():
    model = MultiresDensityModel.from_preset(
        "cifar10_density", load_weights=False
    )
    trainable = sum(np.prod(w.shape) for w in model.trainable_weights)
    assert trainable == 38_391_908
    block = model.backbone.blocks[0]
    assert block.dropout == 0.1
    assert block.normalization == "layer"
    assert block.multires_layer.independent_skip


def test_parameters_depend_only_on_earlier_pixels(model):
    images = random_images(model)
    before = run(model, images)
    assert before.shape == (2, 20, model.compute_output_shape((2, 20, 1))[-1])
    for layer in model.backbone.blocks:
        assert layer.multires_layer.algorithm == "auto"
    changed = images.copy()
    changed[:, 7:] = 0.3
    after = run(model, changed)
    np.testing.assert_allclose(after[:, :8], before[:, :8], atol=1e-6)
    assert (abs(after[:, 8:] - before[:, 8:]) > 1e-4).any()


def test_building_again_keeps_the_weights(model):
    images = random_images(model)
    expected = run(model, images)
    model.build(images.shape)
    np.testing.assert_array_equal(run(model, images), expected)


@pytest.mark.parametrize("padding", [(0, 6), (6, 0)])
def test_padding_on_either_side_changes_no_valid_output(model, padding):
    images = random_images(model)
    padded = np.pad(images, [(0, 0), padding, (0, 0)], constant_values=np.nan)
    steps = slice(padding[0], padding[0] + 20)
    mask = np.zeros(padded.shape[:2], bool)
    mask[:, steps] = True

    outputs = ops.convert_to_numpy(model(padded, mask=mask))[:, steps]

    np.testing.assert_allclose(outputs, run(model, images), atol=1e-5)


@pytest.mark.parametrize("sizes", [[20], [1] * 20, [1, 5, 1, 13]])
def test_steps_give_the_outputs_of_the_whole_image(model, sizes):
    images = random_images(model)
    state = model.get_initial_state(2)
    outputs = []
    for start, size in zip(
        itertools.accumulate([0, *sizes]), sizes, strict=False
    ):
        chunk, state = model.step(images[:, start : start + size], state)
        outputs.append(ops.convert_to_numpy(chunk))
    np.testing.assert_allclose(
        np.concatenate(outputs, axis=1), run(model, images), atol=1e-5
    )


def test_a_given_transition_changes_no_output(model):
    backbone = model.backbone
    pixels = ops.convert_to_tensor(random_images(model)[:, :1])
    transition = backbone.transition()
    expected, _ = backbone.step(pixels, backbone.get_initial_state(2))
    received, _ = backbone.step(
        pixels, backbone.get_initial_state(2), transition, in_place=True
    )
    # Two programs, which a compiler may round differently.
    np.testing.assert_allclose(
        *map(ops.convert_to_numpy, (received, expected)), rtol=1e-6
    )


def test_a_step_does_not_change_the_given_state(model):
    state = model.get_initial_state(2)
    before = [run(ops.copy, leaf) for leaf in keras.tree.flatten(state)]
    model.step(random_images(model)[:, :1], state)
    for leaf, value in zip(keras.tree.flatten(state), before, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(leaf), value)


def test_generate_gives_the_images_of_the_naive_loop(model):
    received = generate(model, 3, temperature=0.7, seed=5)
    images = slow_images(model, 3, temperature=0.7, seed=5)
    np.testing.assert_allclose(received, images, atol=1e-5)


def test_generate_continues_a_prefix(model):
    whole = generate(model, 3, seed=1)
    assert whole.shape == (3, 20, model.backbone.input_channels)
    for num_given in (1, 2, 13, 20):
        prefix = whole[:, :num_given]
        again = generate(model, 3, seed=1, prefix=prefix)
        np.testing.assert_allclose(again, whole, atol=1e-5)
    shared = generate(model, 3, seed=2, prefix=whole[0, :13])
    np.testing.assert_array_equal(
        shared[:, :13], np.tile(whole[:1, :13], (3, 1, 1))
    )
    assert (shared[0, 13:] != shared[1, 13:]).any()


def test_samples_have_the_distribution_of_the_model():
    """Images of two pixels, against all that there can be."""
    keras.utils.set_random_seed(1)
    model = small_model(2, 1)
    values = (np.arange(256) / 127.5 - 1).astype("float32")
    every = np.stack(np.meshgrid(values, values, indexing="ij"), axis=-1)
    every = every.reshape(-1, 2, 1)
    mixture = DiscretizedLogisticMixture(model(every), channels=1)
    log_probs = ops.convert_to_numpy(mixture.log_prob(every)).sum(axis=-1)
    expected = np.exp(log_probs, dtype="float64").reshape(256, 256)
    np.testing.assert_allclose(expected.sum(), 1, atol=1e-3)

    num_samples = 50_000
    drawn = generate(model, num_samples, seed=0)[..., 0]
    bytes_ = np.rint((drawn + 1) * 127.5).astype(int)
    counts = np.zeros((256, 256))
    np.add.at(counts, tuple(bytes_.T), 1)
    # Sixteen values are taken together, or most would never be drawn.
    counts, expected = (
        table.reshape(16, 16, 16, 16).sum(axis=(1, 3)).ravel()
        for table in (counts, num_samples * expected)
    )
    frequent = expected > 10
    assert frequent.sum() > 30
    deviations = counts[frequent] - expected[frequent]
    chi_square = (deviations**2 / expected[frequent]).sum()
    degrees = frequent.sum() - 1
    assert chi_square < degrees + 5 * np.sqrt(2 * degrees)
    assert counts[~frequent].sum() < 2 * expected[~frequent].sum() + 20


@pytest.mark.parametrize("policy", ["float64", "mixed_bfloat16"])
def test_a_stream_continues_from_a_state_in_another_precision(policy):
    model = small_model(20, 1, dtype=policy)
    assert model.generate(1, seed=np.int64(0)).shape == (1, 20, 1)
    pixels = random_images(model)[:, :1]
    _, state = model.step(pixels, model.get_initial_state(2))
    stored = keras.tree.map_structure(
        lambda leaf: ops.convert_to_numpy(
            ops.cast(leaf, "float32" if leaf.ndim else leaf.dtype)
        ),
        state,
    )
    expected, _ = model.step(pixels, state)
    received, _ = model.step(pixels, stored)
    # float32 has rounded the state, which shows in outputs near zero.
    np.testing.assert_allclose(
        *(
            run(ops.cast, outputs, "float32")
            for outputs in (received, expected)
        ),
        atol=1e-7,
    )


@pytest.mark.parametrize("shape", [(2, 1, 3), (3, 1, 1), (2, 0, 1), (2, 1)])
def test_step_refuses_bad_shapes_states_and_values(shape):
    model = small_model(20, 1)
    with pytest.raises(ValueError, match=r"`inputs`|`step`|`state`"):
        model.step(np.zeros(shape), model.get_initial_state(2))
    with pytest.raises(ValueError, match="`state` must be"):
        model.step(np.zeros((2, 1, 1)), model.backbone.get_initial_state(2))
    with pytest.raises(ValueError, match=r"\[-1, 1\]"):
        model.step(np.full((2, 3, 1), 9.0), model.get_initial_state(2))


def test_generated_images_follow_the_seed_and_the_weights(model):
    first, again, other = (generate(model, 2, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    weights = model.get_weights()
    model.set_weights([0.5 * weight for weight in weights])
    changed = generate(model, 2, seed=1)
    model.set_weights(weights)
    assert (first != changed).any()


def test_a_model_is_saved_and_loaded(model, tmp_path):
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.get_config() == model.get_config()
    images = random_images(model)
    np.testing.assert_allclose(
        run(again, images), run(model, images), atol=1e-6
    )


def test_training_lowers_the_bits_per_dimension():
    from keras_multires.losses import BitsPerDimension

    keras.utils.set_random_seed(0)
    model = small_model(16, 1)
    images = np.full((32, 16, 1), 0.5, "float32")
    model.compile(keras.optimizers.Adam(0.01), BitsPerDimension(3))
    before = model.evaluate(images, images, verbose=0)
    model.fit(images, images, epochs=10, batch_size=8, verbose=0)
    assert model.evaluate(images, images, verbose=0) < before - 1


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_generate_works_in_half_precision(policy):
    model = small_model(6, 3, dtype=policy)
    prefix = random_images(model)[:, :2]
    images = generate(model, 2, seed=0, prefix=prefix)
    assert images.shape == (2, 6, 3)
    np.testing.assert_array_equal(images[:, :2], prefix)
    levels = (images + 1) * 127.5
    np.testing.assert_allclose(levels, levels.round(), atol=1e-4)
    assert (abs(images) <= 1).all()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"num_samples": 0}, "`num_samples`"),
        ({"temperature": 0}, "`temperature`"),
        ({"temperature": -1.0}, "`temperature`"),
        ({"prefix": np.zeros((2, 21, 1))}, "at most 20 pixels"),
        ({"prefix": np.zeros((3, 4, 1))}, "`prefix`.*shape"),
        ({"prefix": np.zeros((2, 4, 3))}, "`prefix`.*shape"),
        ({"prefix": np.zeros(4)}, "`prefix`.*shape"),
        ({"prefix": np.full((2, 4, 1), 1.1)}, r"\[-1, 1\].*1\.1"),
        ({"prefix": np.full((2, 4, 1), np.nan)}, r"\[-1, 1\].*nan"),
    ],
)
def test_wrong_arguments_of_generate_are_named(arguments, problem):
    model = small_model(20, 1)
    with pytest.raises(ValueError, match=problem):
        model.generate(**{"num_samples": 2, **arguments})


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"length": 0}, "`length`"),
        ({"input_channels": 2}, "`input_channels`"),
        ({"num_mixtures": 0}, "`num_mixtures`"),
        ({"hidden_dim": 0}, "`hidden_dim`"),
    ],
)
def test_errors_name_the_bad_argument(arguments, problem):
    with pytest.raises(ValueError, match=problem):
        small_model(**arguments)


@pytest.mark.parametrize("value", [-1.1, 2.0, 255.0, np.nan])
def test_pixels_out_of_range_are_refused_before_any_work(model, value):
    model.compile("sgd", "mse")
    images = random_images(model)
    targets = np.zeros((2, 20, model.head.units))
    model.evaluate(images, targets, verbose=0)
    images[1, 3] = value
    for call in (
        lambda: model(images),
        lambda: model.fit(images, targets, verbose=0),
        lambda: model.predict(images, verbose=0),
    ):
        with pytest.raises(ValueError, match=rf"`inputs`.*\[-1, 1\].*{value}"):
            call()


def test_inputs_with_another_number_of_channels_are_refused(model):
    with pytest.raises(ValueError, match="axis -1"):
        model(np.zeros((2, 20, 2)))
