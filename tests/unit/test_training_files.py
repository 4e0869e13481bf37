import numpy as np
import pytest

from edgeprof.analysis.rows import row_hashes
from edgeprof.compress.training_files import check_training, load_training
from edgeprof.errors import ModelError, UsageError

RANDOM = np.random.default_rng(1)


def save(path, **arrays):
    np.savez(path, **arrays)
    return path


def test_a_tenth_is_set_apart_by_the_seed(tmp_path):
    x = RANDOM.random((100, 3), np.float32)
    path = save(tmp_path / "d.npz", x=x, y=np.arange(100))

    first, again, other = (load_training(path, seed) for seed in (1, 1, 2))

    assert (len(first.train.x[0]), len(first.validation.x[0])) == (90, 10)
    np.testing.assert_array_equal(first.validation.y[0], again.validation.y[0])
    assert set(first.validation.y[0]) != set(other.validation.y[0])
    assert not set(first.train.y[0]) & set(first.validation.y[0])


def test_a_row_that_comes_twice_is_never_in_both_splits(tmp_path):
    x = np.repeat(RANDOM.random((30, 3), np.float32), 3, axis=0)
    x = np.concatenate([x, RANDOM.random((60, 3), np.float32)])
    found = load_training(save(tmp_path / "d.npz", x=x, y=np.zeros(len(x), int)), 3)

    assert not np.isin(row_hashes(found.validation.x), row_hashes(found.train.x)).any()


def test_the_users_own_validation_split_is_taken(tmp_path):
    path = save(
        tmp_path / "d.npz", x=np.ones((5, 2)), y=np.ones(5), x_validation=np.zeros((2, 2)), y_validation=np.zeros(2)
    )

    found = load_training(path, 0)

    assert (len(found.train.x[0]), len(found.validation.x[0])) == (5, 2)


def test_a_validation_split_that_was_trained_on_is_refused_with_counts(tmp_path):
    x = RANDOM.random((40, 3), np.float32)
    apart = np.concatenate([RANDOM.random((7, 3), np.float32), x[10:15]])
    path = save(
        tmp_path / "d.npz", x=x, y=np.arange(40), x_validation=apart.astype(np.float64), y_validation=np.ones(12)
    )
    script = tmp_path / "d.py"
    script.write_text(
        f"import numpy as np\ndef dataset():\n    d = np.load({str(path)!r})\n"
        "    return {'train': (d['x'], d['y']), 'validation': (d['x_validation'], d['y_validation'])}\n"
    )
    message = r"5 of 12 validation samples in `.*` are among its 40 training samples"

    with pytest.raises(ModelError, match=message) as caught:
        check_training(path)

    assert "leave them out" in caught.value.hint
    for given in (path, script):
        with pytest.raises(ModelError, match=message):
            load_training(given, 0)


def test_samples_without_labels_will_do(tmp_path):
    assert load_training(save(tmp_path / "d.npz", x=RANDOM.random((20, 3))), 0).train.y is None


def test_a_python_file_gives_data_loss_and_metrics(tmp_path):
    path = tmp_path / "d.py"
    path.write_text(
        "import numpy as np\nloss = 'mse'\nmetrics = ['mae']\ndef dataset():\n    return np.eye(20), np.arange(20)\n"
    )

    found = load_training(path, 0)

    assert (found.loss, found.metrics, len(found.train.x[0])) == ("mse", ("mae",), 18)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("x = 3", "has no function `dataset"),
        ("def dataset():\n    return 1 / 0", "failed: ZeroDivisionError"),
        ("import no_such_module", "failed: ModuleNotFoundError"),
        ("raise SystemExit(3)", "failed: SystemExit"),
        ("def dataset():\n    return {'test': 3}", "has no `train` but test"),
    ],
)
def test_a_python_file_that_fails_says_how(code, message, tmp_path):
    path = tmp_path / "d.py"
    path.write_text(code)

    with pytest.raises(UsageError, match=message):
        load_training(path, 0)


def test_what_is_no_training_data_says_what_it_is(tmp_path):
    (tmp_path / "bad.npz").write_bytes(b"nothing")

    with pytest.raises(UsageError, match="there are no training data at"):
        check_training(tmp_path / "none.npz")
    with pytest.raises(UsageError, match="is no training data that can be read"):
        check_training(save(tmp_path / "d.npz", x=np.ones(3)).rename(tmp_path / "d.csv"))
    with pytest.raises(ModelError, match="is not a readable .npz file"):
        check_training(tmp_path / "bad.npz")
    with pytest.raises(ModelError, match="has y, and no `x`"):
        check_training(save(tmp_path / "y.npz", y=np.ones(3)))
    with pytest.raises(ModelError, match="30 samples but 29 labels"):
        load_training(save(tmp_path / "odd.npz", x=np.ones((30, 2)), y=np.ones(29)), 0)
    with pytest.raises(ModelError, match="NaN or infinite"):
        load_training(save(tmp_path / "nan.npz", x=np.full((30, 2), np.nan), y=np.ones(30)), 0)
