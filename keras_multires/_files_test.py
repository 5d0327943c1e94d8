import pytest

from keras_multires._files import explain_errors
from keras_multires._files import replace_whole
from keras_multires._files import write_whole


def test_a_file_gets_its_name_when_it_is_complete(tmp_path):
    path = tmp_path / "file"
    with write_whole(path) as file:
        file.write(b"half of it, ")
        assert not path.exists()
        file.write(b"and the rest")
    assert path.read_bytes() == b"half of it, and the rest"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_an_earlier_file_stays_if_writing_the_new_one_fails(tmp_path, error):
    path = tmp_path / "file"
    path.write_bytes(b"earlier")

    def write_half():
        with write_whole(path) as file:
            file.write(b"half of it")
            raise error

    with pytest.raises(error):
        write_half()
    assert path.read_bytes() == b"earlier"
    assert list(tmp_path.iterdir()) == [path]


def test_replace_whole_yields_a_path_with_the_suffixes_of_the_file(tmp_path):
    path = tmp_path / "file.weights.h5"
    path.write_bytes(b"earlier")
    with replace_whole(path) as temporary:
        assert temporary != path
        assert temporary.suffixes[-2:] == path.suffixes
        temporary.write_bytes(b"later")
        assert path.read_bytes() == b"earlier"
    assert path.read_bytes() == b"later"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("error", "message"),
    [(KeyError("rows"), "'rows'"), (EOFError(), "EOFError")],
)
def test_an_error_in_a_damaged_file_becomes_a_value_error(error, message):
    with (
        pytest.raises(ValueError, match=f"Damaged: {message}") as caught,
        explain_errors(lambda problem: f"Damaged: {problem}"),
    ):
        raise error
    assert caught.value.__cause__ is error


def test_an_interruption_is_not_called_damage():
    with (
        pytest.raises(KeyboardInterrupt),
        explain_errors(lambda problem: f"Damaged: {problem}"),
    ):
        raise KeyboardInterrupt
