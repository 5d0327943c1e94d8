import errno
import io
import os
import pickle
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from keras_multires._pytorch_files import PyTorchFile
from keras_multires.checkpoints import load_pytorch_checkpoint
from keras_multires.checkpoints import save_pytorch_checkpoint
from keras_multires.models import MultiresCausalLM
from keras_multires.models import MultiresClassifier
from keras_multires.models import MultiresDensityModel
from keras_multires.models import MultiresNet
from testing.damaged_files import fault_of_reading
from testing.paths import GOLDEN

torch = pytest.importorskip("torch")

PUBLISHED = (
    "classifier_linear_layernorm",
    "classifier_uniform",
    "classifier_embedding_batchnorm",
    "autoregressive_rgb",
)


# The published density model has these options in each block.
DENSITY = {"output_projection": True, "independent_skip": True}


@pytest.fixture(scope="module", params=PUBLISHED)
def published(request, golden):
    """A new model, the path of its checkpoint, and its arrays."""
    config, arrays = golden(request.param)
    config.pop("pooling", None)
    if request.param.startswith("classifier"):
        num_classes = config.pop("num_classes")
        model = MultiresClassifier(MultiresNet(**config), num_classes)
    else:
        num_mixtures = config.pop("num_mixtures")
        backbone = MultiresNet(**config, **DENSITY)
        model = MultiresDensityModel(backbone, num_mixtures)
    return model, GOLDEN / f"{request.param}.pth", arrays


def small_classifier(num_classes=3, **options):
    sizes = {"length": 16, "input_channels": 2, "num_layers": 1}
    backbone = MultiresNet(hidden_dim=4, **{**sizes, **options})
    return MultiresClassifier(backbone, num_classes, dtype=options.get("dtype"))


def small_density_model(**options):
    backbone = MultiresNet(4, 2, 16, input_channels=1, **DENSITY, **options)
    return MultiresDensityModel(backbone, num_mixtures=2)


def fill(model, seed=0):
    """Sets all weights to random values, even those that start at 0 or 1."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        if "seed" not in weight.name:
            weight.assign(rng.normal(size=weight.shape))


def values(model):
    """The weights, those in bfloat16 as float32."""
    return [
        ops.convert_to_numpy(ops.cast(weight, "float32"))
        if weight.dtype == "bfloat16"
        else ops.convert_to_numpy(weight)
        for weight in model.weights
        if "seed" not in weight.name
    ]


def assert_same(model, expected):
    for received, array in zip(values(model), expected, strict=True):
        np.testing.assert_array_equal(received, array)


def state_of(model, tmp_path):
    path = tmp_path / "state.pth"
    save_pytorch_checkpoint(model, path)
    return torch.load(path, weights_only=True)


def plain_state(path):
    state = torch.load(path, weights_only=True)
    state = state.get("model", state)
    return {name.removeprefix("module."): t for name, t in state.items()}


def test_a_published_checkpoint_gives_the_published_outputs(published):
    model, path, arrays = published
    load_pytorch_checkpoint(model, path)
    key, tolerance = ("outputs", 1e-5)
    if "logits" in arrays:
        key, tolerance = ("logits", 1e-4)
    outputs = ops.convert_to_numpy(model(arrays["inputs"]))
    np.testing.assert_allclose(outputs, arrays[key], atol=tolerance)


def test_a_published_checkpoint_is_written_as_it_was_read(published, tmp_path):
    model, path, _ = published
    expected = plain_state(path)
    fill(model)
    load_pytorch_checkpoint(model, str(path))
    received = state_of(model, tmp_path)
    assert list(received) == list(expected)
    for name, tensor in received.items():
        assert tensor.dtype == expected[name].dtype
        assert tensor.is_contiguous()
        # `assert_close` takes shapes into account, too.
        torch.testing.assert_close(tensor, expected[name], rtol=0, atol=0)


MODELS = {
    "embedding": lambda: small_classifier(
        input_channels=None, vocabulary_size=5, normalization="batch"
    ),
    "wavelet": lambda: small_classifier(
        wavelet="db2", independent_skip=True, dropout=0.5
    ),
    "uniform": lambda: small_classifier(
        memory="uniform", memory_size=5, kernel_size=3, num_layers=3
    ),
    "density": small_density_model,
    "density_batchnorm": lambda: small_density_model(normalization="batch"),
    "mixed_float16": lambda: small_classifier(dtype="mixed_float16"),
    "float16": lambda: small_classifier(dtype="float16"),
    "bfloat16": lambda: small_classifier(dtype="bfloat16"),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_model_gets_back_the_weights_that_were_written(name, tmp_path):
    model, copy = MODELS[name](), MODELS[name]()
    fill(model, seed=1)
    fill(copy, seed=2)
    path = tmp_path / "model.pth"
    save_pytorch_checkpoint(model, path)
    load_pytorch_checkpoint(copy, path)
    assert_same(copy, values(model))
    assert list(tmp_path.iterdir()) == [path]
    for name, tensor in torch.load(path, weights_only=True).items():
        is_count = name.endswith("num_batches_tracked")
        assert tensor.dtype == (torch.int64 if is_count else torch.float32)


def test_double_precision_is_kept(double_precision, tmp_path):
    with double_precision():
        model = small_classifier(dtype="float64")
        fill(model)
        expected = values(model)
        assert expected[0].dtype == "float64"
        path = tmp_path / "model.pth"
        save_pytorch_checkpoint(model, path)
        fill(model, seed=1)
        load_pytorch_checkpoint(model, path)
        assert_same(model, expected)


def write(path, content, **options):
    torch.save(content, path, **options)
    return path


@pytest.mark.parametrize(
    ("entry", "prefix", "new_format"),
    [
        ("model", "module.", True),
        ("state_dict", "_orig_mod.", False),
        ("model_state_dict", "module._orig_mod.", True),
        ("model", "_orig_mod.module.", False),
    ],
)
def test_only_the_weights_of_a_training_checkpoint_are_read(
    entry, prefix, new_format, tmp_path
):
    model = small_classifier(normalization="batch")
    fill(model)
    expected = values(model)
    weights = {
        f"{prefix}{name}": torch.nn.Parameter(tensor)
        for name, tensor in state_of(model, tmp_path).items()
        if tensor.is_floating_point()
    }
    optimizer = torch.optim.AdamW(weights.values())
    path = write(
        tmp_path / "training.pth",
        {
            entry: weights,
            "optimizer": optimizer.state_dict(),
            "scheduler": {"last_epoch": 3, "model": None},
            "epoch": 3,
            "val_acc": np.float64(0.5),
            "val_auc": np.array([0.5, 0.25]),
        },
        _use_new_zipfile_serialization=new_format,
    )
    fill(model, seed=1)
    load_pytorch_checkpoint(model, path)
    assert_same(model, expected)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_weights_of_another_precision_are_cast(dtype, tmp_path):
    model = small_classifier()
    fill(model)
    dtype = getattr(torch, dtype)
    state = {
        name: tensor.to(dtype)
        for name, tensor in state_of(model, tmp_path).items()
    }
    expected = [
        torch.tensor(array).to(dtype).float().numpy() for array in values(model)
    ]
    load_pytorch_checkpoint(model, write(tmp_path / "model.pth", state))
    assert model.weights[0].dtype == "float32"
    assert_same(model, expected)


def test_weights_may_be_infinite_or_nan(tmp_path):
    model = small_classifier()
    model.head.bias.assign([np.nan, np.inf, -np.inf])
    path = tmp_path / "model.pth"
    save_pytorch_checkpoint(model, path)
    fill(model)
    load_pytorch_checkpoint(model, path)
    bias = ops.convert_to_numpy(model.head.bias)
    np.testing.assert_array_equal(bias, [np.nan, np.inf, -np.inf])


def rename(state, old, new):
    return {new if name == old else name: state[name] for name in state}


FIT = "does not fit `model`"
MISFITS = {
    "missing": (
        lambda state: rename(state, "encoder.bias", "encoder.b"),
        [
            r"missing: encoder.bias, expected \(4,\)",
            r"unexpected: encoder.b, received \(4,\)",
        ],
    ),
    "shape": (
        lambda state: {
            **state,
            "seq_layers.0.w": torch.ones(5, 4),
            "norms.0.bias": torch.ones(()),
        },
        [
            r"of another shape: seq_layers.0.w, expected \(4, 6\), received "
            r"\(5, 4\)",
            r"of another shape: norms.0.bias, expected \(4,\), received \(\)",
        ],
    ),
    "some_prefixes": (
        lambda state: rename(state, "norms.0.bias", "module.norms.0.bias"),
        ["missing: norms.0.bias", "unexpected: module.norms.0.bias"],
    ),
    "integers": (
        lambda state: {**state, "norms.0.bias": torch.ones(4).int()},
        ["not a dense tensor of floats: norms.0.bias, received torch.int32"],
    ),
    "sparse": (
        lambda state: {**state, "norms.0.bias": torch.ones(4).to_sparse()},
        ["norms.0.bias, received torch._utils._rebuild_sparse_tensor"],
    ),
    "without_values": (
        lambda state: {**state, "norms.0.bias": torch.ones(4, device="meta")},
        ["norms.0.bias, received torch._utils._rebuild_meta_tensor"],
    ),
    "no_tensor": (
        lambda state: {**state, "norms.0.bias": [1.0] * 4},
        ["not a tensor: norms.0.bias, received list"],
    ),
    "array": (
        lambda state: {**state, "norms.0.bias": np.ones(4)},
        ["not a tensor: norms.0.bias"],
    ),
    "optimizer": (
        lambda state: {"epoch": 3, "optimizer": state},
        ["missing: encoder.weight", "unexpected: epoch, received int"],
    ),
    "empty": (lambda state: {}, ["missing: encoder.weight"]),
    "number_for_a_name": (
        lambda state: {**state, 5: torch.ones(2)},
        [r"unexpected: 5, received \(2,\)"],
    ),
}


@pytest.mark.parametrize("name", MISFITS)
def test_tensors_that_do_not_fit_are_listed_and_not_loaded(name, tmp_path):
    change, messages = MISFITS[name]
    model = small_classifier()
    path = tmp_path / "model.pth"
    write(path, change(state_of(model, tmp_path)))
    fill(model)
    expected = values(model)
    for message in [FIT, *messages]:
        with pytest.raises(ValueError, match=message) as error:
            load_pytorch_checkpoint(model, path)
        assert str(path) in str(error.value)
    assert_same(model, expected)


@pytest.mark.parametrize(
    ("options", "messages"),
    [
        ({"num_classes": 5}, [r"output_mapping.weight, expected \(5, 4\)"]),
        (
            {"input_channels": None, "vocabulary_size": 2},
            ["unexpected: encoder.bias", r"encoder.weight, expected \(2, 4\)"],
        ),
        ({"kernel_size": 3}, [r"h1, expected \(4, 1, 3\), received"]),
        ({"length": 64}, [r"seq_layers.0.w, expected \(4, 8\)"]),
        ({"num_layers": 2}, ["missing: seq_layers.1.h0"]),
        ({"normalization": "batch"}, ["missing: norms.0.running_var"]),
    ],
)
def test_a_checkpoint_of_other_arguments_is_refused(
    options, messages, tmp_path
):
    path = tmp_path / "model.pth"
    save_pytorch_checkpoint(small_classifier(), path)
    model = small_classifier(**options)
    for message in [FIT, *messages]:
        with pytest.raises(ValueError, match=message) as error:
            load_pytorch_checkpoint(model, path)
        # This tensor is not needed.
        assert "num_batches_tracked" not in str(error.value)


def test_a_checkpoint_of_the_other_kind_of_model_is_refused(tmp_path):
    path = tmp_path / "model.pth"
    save_pytorch_checkpoint(small_density_model(), path)
    with pytest.raises(ValueError, match=r"missing: output_mapping.weight"):
        load_pytorch_checkpoint(small_classifier(), path)
    save_pytorch_checkpoint(small_classifier(), path)
    with pytest.raises(ValueError, match=r"unexpected: output_mapping.weight"):
        load_pytorch_checkpoint(small_density_model(), path)


class Trap:
    """Its pickle creates a file when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("kind", ["alone", "nested", "pickle", "legacy"])
def test_code_in_a_file_is_not_run(kind, tmp_path, monkeypatch):
    # This variable tells PyTorch to run the code anyway.
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    model = small_classifier()
    state = state_of(model, tmp_path)
    expected = values(model)
    trace, path = tmp_path / "trace", tmp_path / "model.pth"
    content = {"model": state, "optimizer": Trap(trace)}
    if kind == "pickle":
        path.write_bytes(pickle.dumps(content, protocol=2))
    else:
        if kind == "alone":
            content = Trap(trace)
        write(path, content, _use_new_zipfile_serialization=kind != "legacy")
    with pytest.raises(ValueError, match="may run code") as error:
        load_pytorch_checkpoint(model, path)
    assert str(path) in str(error.value)
    assert not trace.exists()
    assert_same(model, expected)
    # Without the protection, the code runs.
    if kind == "pickle":
        pickle.loads(path.read_bytes())
    else:
        torch.load(path, weights_only=False)
    assert trace.exists()


def test_a_file_that_is_not_a_checkpoint_is_an_error_with_a_remedy(tmp_path):
    model = small_classifier()
    path = tmp_path / "model.pth"
    save_pytorch_checkpoint(model, path)
    whole = path.read_bytes()
    expected = values(model)
    for size in np.linspace(0, len(whole) - 1, 20, dtype=int):
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match="Get it again") as error:
            load_pytorch_checkpoint(model, path)
        assert str(path) in str(error.value)
    for content in (b"Not found", b"\x89HDF\r\n\x1a\n", b"PK\x03\x04"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="Get it again"):
            load_pytorch_checkpoint(model, path)
    assert_same(model, expected)


def with_pickle(path, content):
    """Replaces the pickle in a checkpoint."""
    with zipfile.ZipFile(path) as archive:
        members = {m.filename: archive.read(m) for m in archive.infolist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, member in members.items():
            is_pickle = name.endswith("data.pkl")
            archive.writestr(name, content if is_pickle else member)


def pickled_call(module, name, argument):
    return b"".join(
        [
            b"\x80\x02}X\x05\0\0\0modelc",
            f"{module}\n{name}\n".encode(),
            argument + b"\x85Rs.",
        ]
    )


NESTED_KEY = b"\x80\x02})" + b"\x85" * 200_000 + b"Ns."
NESTED_LIST = b"\x80\x02" + b"]" * 20_000 + b"a" * 19_999 + b"."
TWO_GIGABYTES = b"\x8a\x05\0\0\0\x80\0"


@pytest.mark.parametrize(
    "content",
    [
        NESTED_KEY,
        NESTED_LIST,
        pickled_call("__builtin__", "bytearray", TWO_GIGABYTES),
        pickled_call("torch", "zeros", TWO_GIGABYTES),
        pickled_call("torch.storage", "_load_from_bytes", b"C\1a"),
    ],
    ids=["key", "list", "bytearray", "zeros", "bytes"],
)
@pytest.mark.parametrize("is_new", [True, False])
def test_what_the_pickle_asks_for_is_not_made(content, is_new, tmp_path):
    model = small_classifier()
    path = tmp_path / "model.pth"
    write(path, {}, _use_new_zipfile_serialization=is_new)
    if is_new:
        with_pickle(path, content)
    else:
        empty = pickle.dumps({}, 2)
        assert empty in path.read_bytes()
        path.write_bytes(path.read_bytes().replace(empty, content))
    fault, is_refused = fault_of_reading(
        lambda: load_pytorch_checkpoint(model, path), path
    )
    assert fault is None
    assert is_refused


# Tensors of four values that are not what they seem.
STRANGE = {
    "quantized": lambda ones: torch.quantize_per_tensor(
        ones, 0.5, 0, torch.qint8
    ),
    "csr": lambda ones: ones.reshape(2, 2).to_sparse_csr(),
    "nested": lambda ones: torch.nested.nested_tensor([ones, ones[:2]]),
    "complex": lambda ones: ones.cfloat(),
    "conjugate": lambda ones: ones.cfloat().conj(),
    "negative": lambda ones: ones.cfloat().conj().imag,
    # PyTorch has these only in newer versions, and it is as if they were
    # unsigned integers of the same size.
    "float4": lambda ones: ones.byte().view(
        getattr(torch, "float4_e2m1fn_x2", torch.uint8)
    ),
}


@pytest.mark.filterwarnings("ignore")  # of prototypes
@pytest.mark.parametrize("make", STRANGE.values(), ids=STRANGE)
def test_tensors_that_are_not_dense_floats_are_refused(make, tmp_path):
    model = small_classifier()
    tensor = make(torch.ones(4))
    state = {**state_of(model, tmp_path), "norms.0.bias": tensor}
    path = write(tmp_path / "model.pth", state)
    fill(model)
    expected = values(model)
    problem = "(not a dense tensor of floats|another shape): norms.0.bias"
    with pytest.raises(ValueError, match=problem):
        load_pytorch_checkpoint(model, path)
    assert_same(model, expected)


def rebuilt(offset, shape, strides, kind="torch.FloatStorage", numel=4):
    """A file of a tensor of any form over four numbers."""

    class Form:
        def __reduce__(self):
            arguments = (Storage(), offset, shape, strides, False, {})
            return torch._utils._rebuild_tensor_v2, arguments

    class Storage:
        pass

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            if isinstance(value, Storage):
                module, _, name = kind.rpartition(".")
                storage = getattr(sys.modules[module], name)
                return "storage", storage, "0", "cpu", numel
            return None

    content = io.BytesIO()
    Pickler(content, 2).dump({"norms.0.bias": Form()})
    return content.getvalue()


@pytest.mark.parametrize(
    "form",
    [
        (1, (4,), (1,)),
        (-1, (4,), (1,)),
        (0, (4,), (2,)),
        (3, (4,), (-1,)),
        (0, (4,), (2**62,)),
        (2**62, (4,), (0,)),
        (10**30, (4,), (10**30,)),
        (0, (4,), (1.0,)),
        (0, (4,), (1, 1)),
        (0, (4,), (1,), "torch.DoubleStorage"),
        (0, (4,), (1,), "torch.float32"),
    ],
)
def test_a_tensor_outside_of_its_storage_is_refused(form, tmp_path):
    path = write(tmp_path / "model.pth", {"norms.0.bias": torch.ones(4)})
    with_pickle(path, rebuilt(*form))
    with open(path, "rb") as file:

        def read():
            content = PyTorchFile(file)
            return content.tensor(content.content["norms.0.bias"]).read()

        with pytest.raises((ValueError, TypeError, KeyError)):
            read()


def test_views_and_shared_tensors_are_read(tmp_path):
    base = torch.arange(24.0).reshape(4, 6)
    state = {
        "transposed": base.T,
        "strided": base[1::2, ::3],
        "expanded": torch.ones(1, 3).expand(2, 3),
        "empty": base[:0],
        "number": base[2, 3],
        "eighth": base.to(torch.float8_e4m3fn),
    }
    for is_new in (True, False):
        path = tmp_path / f"{is_new}.pth"
        write(path, state, _use_new_zipfile_serialization=is_new)
        with open(path, "rb") as file:
            content = PyTorchFile(file)
            for name, tensor in state.items():
                found = content.tensor(content.content[name])
                assert found.shape == tensor.shape
                np.testing.assert_array_equal(
                    found.read().astype("float32"), tensor.float().numpy()
                )


def test_a_compressed_checkpoint_is_refused(tmp_path):
    """PyTorch compresses nothing; what is compressed may grow."""
    model = small_classifier()
    path = tmp_path / "model.pth"
    save_pytorch_checkpoint(model, path)
    with zipfile.ZipFile(path) as archive:
        members = {m.filename: archive.read(m) for m in archive.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    with pytest.raises(ValueError, match="Get it again"):
        load_pytorch_checkpoint(model, path)


@pytest.mark.parametrize("content", [torch.ones(3), [torch.ones(3)], 5])
def test_a_file_without_a_dict_is_refused(content, tmp_path):
    path = write(tmp_path / "model.pth", content)
    with pytest.raises(ValueError, match="holds no dict of tensors"):
        load_pytorch_checkpoint(small_classifier(), path)


def test_a_missing_file_is_a_file_not_found_error(tmp_path):
    path = tmp_path / "none.pth"
    with pytest.raises(FileNotFoundError, match=r"none\.pth"):
        load_pytorch_checkpoint(small_classifier(), path)


@pytest.mark.parametrize(
    "function", [load_pytorch_checkpoint, save_pytorch_checkpoint]
)
def test_other_models_are_refused(function, tmp_path):
    path = tmp_path / "model.pth"
    for model in (
        None,
        keras.Sequential([keras.layers.Dense(1)]),
        MultiresCausalLM(MultiresNet(4, 1, 16, vocabulary_size=5)),
        small_classifier(input_channels=None),
    ):
        with pytest.raises(ValueError, match=r"`model` must be a .* is built"):
            function(model, path)
    for change in (
        lambda model: model.head.quantize("int8"),
        lambda model: model.head.enable_lora(2),
    ):
        model = small_classifier()
        change(model)
        with pytest.raises(ValueError, match="neither quantised nor with LoRA"):
            function(model, path)
    assert not path.exists()


def test_an_earlier_file_stays_if_the_new_one_cannot_be_written(
    tmp_path, monkeypatch
):
    model = small_classifier()
    path = tmp_path / "model.pth"
    save_pytorch_checkpoint(model, path)
    content = path.read_bytes()
    fill(model)

    def fail(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    for target, name in (
        ("builtins", "open"),
        ("os", "replace"),
        ("torch", "save"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(f"{target}.{name}", fail)
            with pytest.raises(OSError, match="No space"):
                save_pytorch_checkpoint(model, path)
        assert path.read_bytes() == content
        assert os.listdir(tmp_path) == [path.name]
    save_pytorch_checkpoint(model, path)
    assert path.read_bytes() != content


def test_pytorch_is_needed_to_write_and_not_to_read(tmp_path, monkeypatch):
    model = small_classifier()
    fill(model)
    expected = values(model)
    path = tmp_path / "model.pth"
    save_pytorch_checkpoint(model, path)
    fill(model, seed=1)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match="pip install torch"):
        save_pytorch_checkpoint(model, path)
    if keras.backend.backend() != "torch":
        load_pytorch_checkpoint(model, path)
        assert_same(model, expected)
