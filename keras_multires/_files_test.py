import pytest

from keras_multires._files import replace_whole
from keras_multires._files import write_whole


def test_a_file_is_there_once_it_is_whole(tmp_path):
    path = tmp_path / "file"
    with write_whole(path) as file:
        file.write(b"half of it, ")
        assert not path.exists()
        file.write(b"and the rest")
    assert path.read_bytes() == b"half of it, and the rest"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_an_earlier_file_stays_if_the_new_one_is_not_finished(tmp_path, error):
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


def test_what_opens_files_itself_gets_a_name_of_the_same_suffixes(tmp_path):
    path = tmp_path / "file.weights.h5"
    path.write_bytes(b"earlier")
    with replace_whole(path) as temporary:
        assert temporary != path
        assert temporary.suffixes[-2:] == path.suffixes
        temporary.write_bytes(b"later")
        assert path.read_bytes() == b"earlier"
    assert path.read_bytes() == b"later"
    assert list(tmp_path.iterdir()) == [path]
