import csv
import io
import itertools
import os
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from keras_multires.datasets import listops
from testing.paths import TESTDATA

FIXTURE = TESTDATA / "listops"
FILES = ("basic_train.tsv", "basic_val.tsv", "basic_test.tsv")
OPERATORS = ("[MIN", "[MAX", "[MED", "[SM")
SIZES = {"num_train": 300, "num_validation": 40, "num_test": 60}
# The first targets of the training set of seed 0 in `SIZES`, and the tokens
# that its first sequence starts with.
FIRST_TARGETS = [8, 9, 9, 0, 9, 7, 1, 5, 9, 1]
FIRST_TOKENS = "[MAX 5 [MED 8 6 2 9 [MAX [MAX 7 6 3"


# A tree is a digit or a pair (operator, trees).
trees = st.recursive(
    st.integers(0, 9),
    lambda children: st.tuples(
        st.sampled_from(OPERATORS), st.lists(children, min_size=1, max_size=10)
    ),
    max_leaves=60,
)


def write(tree):
    if isinstance(tree, int):
        return str(tree)
    operator, arguments = tree
    return " ".join([operator, *map(write, arguments), "]"])


def write_with_brackets(tree):
    """The form of the Long Range Arena's files."""
    if isinstance(tree, int):
        return str(tree)
    operator, arguments = tree
    text = operator
    for argument in [*map(write_with_brackets, arguments), "]"]:
        text = f"( {text} {argument} )"
    return text


def value(tree):
    if isinstance(tree, int):
        return tree
    operator, arguments = tree
    values = [value(argument) for argument in arguments]
    if operator == "[MIN":
        return sorted(values)[0]
    if operator == "[MAX":
        return sorted(values)[-1]
    if operator == "[MED":
        return int(np.median(values))
    return int(np.sum(values)) % 10


def text_of(row):
    """The expression of a row of the inputs."""
    end = row.tolist().index(2)
    assert not row[end + 1 :].any()
    return " ".join(listops.VOCABULARY[index] for index in row[:end])


def parse(text):
    """The tree of an expression of `write`, and its depth."""
    tokens = iter(text.split())

    def node(token):
        if token not in OPERATORS:
            return int(token), 1
        nodes = [node(child) for child in iter(lambda: next(tokens), "]")]
        children, depths = zip(*nodes, strict=True)
        return (token, list(children)), 1 + max(depths)

    result = node(next(tokens))
    assert next(tokens, None) is None
    return result


def operators_of(tree):
    if not isinstance(tree, int):
        yield tree
        for argument in tree[1]:
            yield from operators_of(argument)


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("generated")
    return listops.load_data(**SIZES, cache_dir=folder, verbose=0)


@pytest.fixture(scope="module")
def expressions(generated):
    """Text and target of every generated sequence."""
    return [
        (text_of(row), target)
        for inputs, targets in generated
        for row, target in zip(inputs, targets, strict=True)
    ]


def assert_equal_parts(first, second):
    for pair, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(pair[0], other[0])
        np.testing.assert_array_equal(pair[1], other[1])


# Values of expressions.


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("7", 7),
        ("[MAX 2 9 [MIN 4 7 ] 0 ]", 9),
        ("[SM 9 8 7 ]", 4),
        ("[MED 1 2 ]", 1),
        ("[MED 5 1 9 ]", 5),
        ("[MED 9 1 4 8 ]", 6),
        ("( ( ( [MAX 2 ) 9 ) ] )", 9),
        ("  [MIN\t3\n5 ]  ", 3),
    ],
)
def test_evaluate_follows_the_definition_of_the_operators(expression, expected):
    result = listops.evaluate(expression)
    assert result == expected
    assert type(result) is int


@settings(max_examples=50)
@given(trees)
def test_evaluate_equals_a_recursive_evaluation_of_the_tree(tree):
    assert listops.evaluate(write(tree)) == value(tree)
    assert listops.evaluate(write_with_brackets(tree)) == value(tree)


def test_evaluate_gives_the_labels_of_the_long_range_arena():
    for name in FILES:
        _, *lines = (FIXTURE / name).read_text().splitlines()
        assert lines
        for line in lines:
            source, target = line.split("\t")
            assert listops.evaluate(source) == int(target)


def test_evaluate_accepts_expressions_of_any_depth():
    depth = 20_000
    assert listops.evaluate("[SM 1 " * depth + "3" + " ]" * depth) == 3


@pytest.mark.parametrize(
    ("expression", "position", "problem"),
    [
        ("", 0, "missing"),
        ("   ", 3, "missing"),
        ("[MAX 2 ten ]", 7, "'ten' is unknown"),
        ("[MAX 2 10 ]", 7, "'10' is unknown"),
        ("[MAX 2 9]", 7, "'9]' is unknown"),
        ("[PAD]", 0, "unknown"),
        ("[MAX 2 [MIN ] ]", 7, r"`\[MIN` has no arguments"),
        ("[MAX 2 [MIN 3 ]", 0, r"`\[MAX` has no `\]`"),
        ("[MAX 2 [MIN 3", 7, r"`\[MIN` has no `\]`"),
        ("[MAX 2 ] ]", 9, "ends no operator"),
        ("]", 0, "ends no operator"),
        ("[MAX 2 ] 3", 9, "'3' follows a whole expression"),
        ("[MAX 2 ] [MIN 3 ]", 9, "follows a whole expression"),
        ("1 2", 2, "'2' follows a whole expression"),
        ("( ( [MAX 2 ) ]", 0, r"`\(` has no `\)`"),
        ("[MAX 2 ) ]", 7, r"`\)` has no `\(`"),
    ],
)
def test_a_malformed_expression_is_an_error_that_tells_where(
    expression, position, problem
):
    with pytest.raises(
        ValueError, match=rf"at position {position}, .*{problem}"
    ):
        listops.evaluate(expression)


def test_the_error_quotes_only_what_is_around_the_position():
    expression = "[SM " + "1 " * 1000 + "x " + "2 " * 1000 + "]"
    with pytest.raises(ValueError, match=r"'\.\.\..* 1 1 x 2 2 .*\.\.\.'") as e:
        listops.evaluate(expression)
    assert len(str(e.value)) < 300


# Token ids.


def test_the_vocabulary_has_18_tokens_and_starts_with_the_padding():
    assert len(set(listops.VOCABULARY)) == len(listops.VOCABULARY) == 18
    assert listops.VOCABULARY[0] == "[PAD]"


def test_tokenize_leaves_out_brackets_and_adds_the_end():
    ids = listops.tokenize("( ( ( [MAX 2 ) 9 ) ] )")
    assert ids.dtype == "uint8"
    tokens = [listops.VOCABULARY[index] for index in ids]
    assert tokens == ["[MAX", "2", "9", "]", "[END]"]


def test_tokenize_gives_all_unknown_tokens_the_same_id():
    tokens = [listops.VOCABULARY[i] for i in listops.tokenize("[MAX 12 x 3]")]
    assert tokens == ["[MAX", "[UNK]", "[UNK]", "[UNK]", "[END]"]


@settings(max_examples=20)
@given(trees)
def test_tokenize_numbers_the_tokens_by_their_place_in_the_vocabulary(tree):
    expected = [listops.VOCABULARY.index(t) for t in write(tree).split()]
    end = listops.VOCABULARY.index("[END]")
    assert listops.tokenize(write(tree)).tolist() == [*expected, end]
    assert listops.tokenize(write_with_brackets(tree)).tolist()[-1] == end


# Generated data.


def test_each_part_has_the_documented_size_and_type(generated):
    for (inputs, targets), size in zip(generated, SIZES.values(), strict=True):
        assert inputs.shape == (size, 2048)
        assert inputs.dtype == "uint8"
        assert targets.shape == (size,)
        assert targets.dtype == "int32"


def test_targets_are_the_values_of_the_expressions(expressions):
    for text, target in expressions:
        assert listops.evaluate(text) == target


def test_rows_are_the_ids_of_the_expressions(generated):
    for row in generated[0][0]:
        ids = listops.tokenize(text_of(row))
        np.testing.assert_array_equal(row[: len(ids)], ids)


def test_sequences_follow_the_rule_of_the_long_range_arena(expressions):
    lengths, depths, sizes, names, digits = [], [], [], [], []
    for text, _ in expressions:
        tree, depth = parse(text)
        lengths.append(len(text.split()))
        depths.append(depth)
        for operator, arguments in operators_of(tree):
            sizes.append(len(arguments))
            names.append(OPERATORS.index(operator))
            digits += [a for a in arguments if isinstance(a, int)]
    assert min(lengths) >= 501
    assert max(lengths) <= 1999
    assert max(depths) == 10
    assert set(sizes) == set(range(2, 11))
    # All of them are equally likely.
    for values, number in ((names, 4), (digits, 10)):
        shares = np.bincount(values, minlength=number) / len(values)
        np.testing.assert_allclose(shares, 1 / number, rtol=0.05)


def test_trees_are_like_those_that_grow_one_after_another(expressions):
    """The generator grows many trees at once, in several passes."""
    rng = random.Random(1)

    def grow(depth, counts):
        """Length of a tree, whose operators at each depth are counted."""
        if depth == 10 or rng.random() >= 0.25:
            return 1
        counts[depth] += 1
        children = rng.randint(2, 10)
        return 2 + sum(grow(depth + 1, counts) for _ in range(children))

    expected = []
    while len(expected) < len(expressions):
        counts = [0] * 10
        length = grow(1, counts)
        if 500 < length < 2000:
            expected.append([length, *counts[1:]])
    received = []
    for text, _ in expressions:
        depth, counts = 0, [0] * 10
        for token in text.split():
            if token in OPERATORS:
                depth += 1
                counts[depth] += 1
            elif token == "]":
                depth -= 1
        received.append([len(text.split()), *counts[1:]])
    expected, received = np.array(expected), np.array(received)
    errors = np.sqrt(
        (expected.var(axis=0) + received.var(axis=0)) / len(expected)
    )
    differences = np.abs(expected.mean(axis=0) - received.mean(axis=0))
    assert (differences <= 4 * errors).all()


@pytest.mark.parametrize("num_workers", [1, 2, 5])
def test_the_number_of_workers_does_not_change_the_data(
    generated, tmp_path, num_workers
):
    np.random.seed(3)
    again = listops.load_data(
        **SIZES, cache_dir=tmp_path, num_workers=num_workers, verbose=0
    )
    assert_equal_parts(again, generated)


def test_the_data_of_a_seed_are_those_of_earlier_versions(generated):
    """Results of different versions stay comparable."""
    inputs, targets = generated[0]
    assert targets[:10].tolist() == FIRST_TARGETS
    assert text_of(inputs[0]).startswith(FIRST_TOKENS)


def test_another_seed_gives_other_data(generated, tmp_path):
    others = listops.load_data(seed=1, **SIZES, cache_dir=tmp_path, verbose=0)
    first, second = (
        {row.tobytes() for inputs, _ in parts for row in inputs}
        for parts in (generated, others)
    )
    assert not first & second


def test_validation_and_test_set_do_not_depend_on_the_training_set(
    generated, tmp_path
):
    sizes = {**SIZES, "num_train": 20}
    train, *others = listops.load_data(**sizes, cache_dir=tmp_path, verbose=0)
    assert_equal_parts(others, generated[1:])
    np.testing.assert_array_equal(train[0], generated[0][0][:20])


def test_all_sequences_are_different(generated, tmp_path, monkeypatch):
    """Even if the generator draws each one twice."""
    generate_chunk = listops._generate_chunk
    monkeypatch.setattr(
        listops,
        "_generate_chunk",
        lambda seed, index: generate_chunk(seed, index // 2),
    )
    parts = listops.load_data(**SIZES, cache_dir=tmp_path, verbose=0)
    rows = [row.tobytes() for inputs, _ in parts for row in inputs]
    assert len(set(rows)) == len(rows) == sum(SIZES.values())
    assert_equal_parts(parts, generated)


def test_an_error_while_generating_is_passed_on_and_leaves_no_file(
    tmp_path, monkeypatch
):
    def fail(seed, index):
        raise RuntimeError("no more")

    monkeypatch.setattr(listops, "_generate_chunk", fail)
    with pytest.raises(RuntimeError, match="no more"):
        listops.load_data(**SIZES, cache_dir=tmp_path, verbose=0)
    assert not list(tmp_path.rglob("*.*"))


def test_a_progress_bar_is_shown_while_generating(tmp_path, capsys):
    sizes = {"num_train": 5, "num_validation": 1, "num_test": 1}
    listops.load_data(**sizes, cache_dir=tmp_path)
    assert "7/7" in capsys.readouterr().out
    listops.load_data(**sizes, cache_dir=tmp_path)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "arguments",
    [
        {"seed": -1},
        {"seed": 0.5},
        {"num_train": 0},
        {"num_validation": 0},
        {"num_test": "10"},
        {"num_workers": 0},
    ],
)
def test_a_wrong_argument_is_an_error_that_names_it(arguments, tmp_path):
    [name] = arguments
    with pytest.raises(ValueError, match=f"`{name}`.*Received: {name}="):
        listops.load_data(**{**SIZES, **arguments}, cache_dir=tmp_path)


# Generated data kept on disk.

SMALL = {"num_train": 6, "num_validation": 2, "num_test": 3, "verbose": 0}


@pytest.fixture
def kept(tmp_path):
    """The parts, and the file in which they are kept."""
    parts = listops.load_data(**SMALL, cache_dir=tmp_path)
    [path] = tmp_path.rglob("*.*")
    return parts, path


def test_data_are_generated_only_once(kept, tmp_path, monkeypatch):
    monkeypatch.delattr(listops, "_generate")
    again = listops.load_data(**SMALL, cache_dir=tmp_path)
    assert_equal_parts(again, kept[0])
    for (inputs, targets), (other, others) in zip(again, kept[0], strict=True):
        assert (inputs.dtype, targets.dtype) == (other.dtype, others.dtype)


def test_each_set_of_arguments_has_its_own_cache(kept, tmp_path):
    changes = itertools.chain(
        [{"seed": 1}],
        ({name: 7} for name in ("num_train", "num_validation", "num_test")),
    )
    for count, change in enumerate(changes, 2):
        listops.load_data(**{**SMALL, **change}, cache_dir=tmp_path)
        assert len(list(tmp_path.rglob("*.*"))) == count
    # The number of workers and the progress bar change nothing.
    listops.load_data(
        **{**SMALL, "verbose": 1}, num_workers=1, cache_dir=tmp_path
    )
    assert len(list(tmp_path.rglob("*.*"))) == count


def test_a_cache_of_another_version_is_not_read(kept, tmp_path, monkeypatch):
    monkeypatch.setattr(listops, "_CACHE_VERSION", -1)
    listops.load_data(**SMALL, cache_dir=tmp_path)
    assert len(list(tmp_path.rglob("*.*"))) == 2


def test_the_default_cache_is_in_the_folder_of_keras(tmp_path, monkeypatch):
    listops.load_data(**SMALL)
    assert list((tmp_path / "home" / "datasets").glob("listops-*.npz"))
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "user"))
    listops.load_data(**SMALL)
    assert list((tmp_path / "user/.keras/datasets").glob("listops-*.npz"))


def test_a_full_disk_leaves_no_part_of_the_cache(tmp_path, monkeypatch):
    seen = []

    def fill_the_disk(file, **arrays):
        file.write(b"half of it")
        file.flush()
        seen.extend(tmp_path.iterdir())
        raise OSError("No space left on device")

    monkeypatch.setattr(np, "savez_compressed", fill_the_disk)
    with pytest.raises(OSError, match="No space left"):
        listops.load_data(**SMALL, cache_dir=tmp_path)
    # The file gets its name only when it is complete.
    assert seen
    assert not [path for path in seen if path.suffix == ".npz"]
    assert not list(tmp_path.iterdir())


def test_the_cache_is_renamed_within_its_file_system(tmp_path, monkeypatch):
    renamed = []
    replace = os.replace

    def record(source, target):
        renamed.append((Path(source), Path(target)))
        replace(source, target)

    monkeypatch.setattr(os, "replace", record)
    listops.load_data(**SMALL, cache_dir=tmp_path)
    [(source, target)] = renamed
    assert source.parent.parent == target.parent == tmp_path
    assert list(tmp_path.iterdir()) == [target]


def truncate(path):
    path.write_bytes(path.read_bytes()[:-200])


def empty(path):
    path.write_bytes(b"")


def change_a_byte(path):
    # In the compressed data: the first array starts within 100 bytes.
    content = bytearray(path.read_bytes())
    content[len(content) // 4] ^= 16
    path.write_bytes(content)


def write_no_archive(path):
    np.save(path.with_suffix(".npy"), np.zeros(3))
    os.replace(path.with_suffix(".npy"), path)


def change_array(path, name, change):
    with np.load(path) as file:
        arrays = dict(file)
    arrays[name] = change(arrays[name])
    np.savez_compressed(path, **arrays)


def leave_out_an_array(path):
    with np.load(path) as file:
        arrays = dict(file)
    del arrays["test_targets"]
    np.savez_compressed(path, **arrays)


def drop_a_row(path):
    change_array(path, "train_inputs", lambda inputs: inputs[1:])


def write_an_unknown_id(path):
    change_array(path, "validation_inputs", lambda inputs: inputs + 18)


def write_a_wrong_target(path):
    change_array(path, "test_targets", lambda targets: targets + 10)


def write_objects(path):
    change_array(path, "train_targets", lambda targets: targets.astype(object))


@pytest.mark.parametrize(
    "damage",
    [
        truncate,
        empty,
        change_a_byte,
        write_no_archive,
        leave_out_an_array,
        drop_a_row,
        write_an_unknown_id,
        write_a_wrong_target,
        write_objects,
    ],
)
def test_a_damaged_cache_is_an_error_that_says_what_to_do(
    kept, tmp_path, damage
):
    parts, path = kept
    damage(path)
    with pytest.raises(ValueError, match=r"(?i)delete") as error:
        listops.load_data(**SMALL, cache_dir=tmp_path)
    assert str(path) in str(error.value)
    path.unlink()
    assert_equal_parts(listops.load_data(**SMALL, cache_dir=tmp_path), parts)


# The Long Range Arena's own files.


@pytest.fixture
def directory(tmp_path):
    return Path(shutil.copytree(FIXTURE, tmp_path / "listops"))


def test_the_files_of_the_long_range_arena_are_read(directory):
    before = sorted(directory.iterdir())
    parts = listops.load_data(str(directory))
    for (inputs, targets), name in zip(parts, FILES, strict=True):
        assert inputs.dtype == "uint8"
        assert targets.dtype == "int32"
        _, *lines = (directory / name).read_text().splitlines()
        assert inputs.shape == (len(lines), 2048)
        assert targets.shape == (len(lines),)
        for row, target, line in zip(inputs, targets, lines, strict=True):
            source, label = line.split("\t")
            source = source.replace("( ", "").replace(") ", "")
            assert text_of(row) == source.removesuffix(" )")
            assert target == int(label)
    assert sorted(directory.iterdir()) == before


def test_files_may_have_unix_line_ends_and_lack_the_last_one(directory):
    expected = listops.load_data(directory)
    for name in FILES:
        content = (directory / name).read_bytes().replace(b"\r\n", b"\n")
        (directory / name).write_bytes(content.removesuffix(b"\n"))
    assert_equal_parts(listops.load_data(directory), expected)


def test_sequences_up_to_the_maximum_length_are_read(directory):
    path = directory / FILES[0]
    for count, fits in ((2045, True), (2046, False)):
        path.write_text(f"Source\tTarget\n[MAX{' 1' * count} ]\t1\n")
        if fits:
            (inputs, _), _, _ = listops.load_data(directory)
            assert inputs[0, -2:].tolist() == [17, 2]
        else:
            with pytest.raises(ValueError, match=r"line 2.* 2048 tokens.*2047"):
                listops.load_data(directory)


@pytest.mark.parametrize("name", FILES)
def test_the_fixture_is_what_the_script_of_the_long_range_arena_writes(name):
    """It writes its rows by `csv.writer(file, delimiter="\\t")`."""
    content = (FIXTURE / name).read_bytes()
    rows = csv.reader(io.StringIO(content.decode(), newline=""), delimiter="\t")
    written = io.StringIO(newline="")
    csv.writer(written, delimiter="\t").writerows(rows)
    assert written.getvalue().encode() == content


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_an_error_that_names_it(directory, name):
    (directory / name).unlink()
    with pytest.raises(FileNotFoundError, match="generate") as error:
        listops.load_data(directory)
    assert str(directory / name) in str(error.value)


def test_a_missing_directory_is_an_error_that_names_it(tmp_path):
    with pytest.raises(FileNotFoundError, match="generate") as error:
        listops.load_data(tmp_path / "none")
    assert str(tmp_path / "none") in str(error.value)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("[MAX 2 9 ]", "a tab and a target"),
        ("[MAX 2 9 ]\t9\t9", "a tab and a target"),
        ("", "a tab and a target"),
        ("[MAX 2 9 ]\t", "target ''"),
        ("[MAX 2 9 ]\t10", "target '10'"),
        ("[MAX 2 9 ]\t-1", "target '-1'"),
        ("[MAX 2 9 ]\tx", "target 'x'"),
        ("[MAX 2 [AVG 9 ] ]\t9", r"position 7, '\[AVG' is unknown"),
        ("[MAX 2 [PAD] ]\t9", r"position 7, '\[PAD\]' is unknown"),
        ("[MAX 2 \xe9 ]\t9", "position 7, .* is unknown"),
        ("[MAX 2 [MIN 9 ]\t9", r"position 0, `\[MAX` has no `\]`"),
        ("[MAX 2 9 ] ]\t9", "position 11, .*ends no operator"),
        ("[MAX 2 9 ] 3\t9", "position 11, '3' follows"),
        ("[MAX 2 [MIN ] ]\t9", "position 7, .*has no arguments"),
        ("\t9", "position 0, an expression is missing"),
        ("( [MAX 2 9 ]\t9", r"position 0, `\(` has no `\)`"),
        ("[MAX 2 ) 9 ]\t9", r"position 7, `\)` has no `\(`"),
        (") [MAX 2 9 ] (\t9", r"position 0, `\)` has no `\(`"),
        pytest.param("( " * 70_000 + "1\t1", "longer than 131072", id="long"),
        pytest.param("[MAX 1 2 ]\t" + "9" * 9_000, "target '99", id="nines"),
    ],
)
def test_a_malformed_line_is_an_error_that_names_file_and_line(
    directory, line, problem
):
    path = directory / "basic_val.tsv"
    content = f"Source\tTarget\n[MAX 1 2 ]\t2\n{line}\n[MIN 1 2 ]\t1\n"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=rf"line 3: .*{problem}") as error:
        listops.load_data(directory)
    assert str(error.value).startswith(str(path))
    assert "get it again" in str(error.value)
    assert len(str(error.value)) < 2000


@pytest.mark.parametrize(
    "content", ["", "[MAX 1 2 ]\t2\n", "Source,Target\n", "<html>\n"]
)
def test_a_file_without_its_header_is_an_error_that_names_it(
    directory, content
):
    (directory / FILES[2]).write_text(content)
    with pytest.raises(ValueError, match=r"line 1: .*header") as error:
        listops.load_data(directory)
    assert str(directory / FILES[2]) in str(error.value)


def test_a_file_without_sequences_is_an_error_that_names_it(directory):
    (directory / FILES[1]).write_text("Source\tTarget\n")
    with pytest.raises(ValueError, match="no sequences") as error:
        listops.load_data(directory)
    assert str(directory / FILES[1]) in str(error.value)


@pytest.mark.parametrize("removed", [1, 3, 100, 3000])
def test_a_truncated_file_is_an_error_that_names_its_last_line(
    directory, removed
):
    path = directory / FILES[0]
    content = path.read_bytes().removesuffix(b"\r\n")
    path.write_bytes(content[:-removed])
    with pytest.raises(ValueError, match="line 9: ") as error:
        listops.load_data(directory)
    assert str(path) in str(error.value)


@given(
    st.lists(
        st.sampled_from(["1", "5", *OPERATORS, "]", "(", ")"]), max_size=12
    ),
    st.integers(0, 9),
)
def test_lines_are_accepted_if_and_only_if_evaluate_accepts_them(
    tmp_path_factory, tokens, target
):
    path = tmp_path_factory.mktemp("lines") / FILES[0]
    path.write_text(f"Source\tTarget\n{' '.join(tokens)}\t{target}\n")
    try:
        listops.evaluate(" ".join(tokens))
    except ValueError:
        with pytest.raises(ValueError, match="line 2"):
            listops._read_tsv(path)
    else:
        listops._read_tsv(path)
