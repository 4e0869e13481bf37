"""A metric of the user's own."""

import numpy as np
import pytest

from edgeprof.accuracy.custom import load_metric
from edgeprof.accuracy.scoring import resampled, whole
from edgeprof.errors import UsageError

Y = np.array([1.0, 2.0, 4.0])
OUTPUTS = np.array([[1.0], [3.0], [4.0]], np.float32)


@pytest.fixture
def metric(tmp_path):
    def write(body, name="score"):
        (tmp_path / "my.py").write_text(body)
        return load_metric(f"{tmp_path / 'my.py'}:{name}", (1,))

    return write


def test_a_function_of_labels_and_outputs_is_a_metric(metric):
    found = metric(
        "import numpy as np\ndef score(y, out):\n    return np.abs(out[:, 0] - y).max()\nscore.better = 'lower'\n"
    )

    assert (found.name, found.better) == ("score", "lower")
    assert whole(found.of(Y, OUTPUTS), 3) == 1.0


def test_one_number_a_sample_means_their_mean(metric):
    found = metric("def score(y, out):\n    return (out[:, 0] == y)\n").of(Y, OUTPUTS)

    assert whole(found, 3) == pytest.approx(2 / 3)
    assert 0 <= resampled([found], 3, 1)[0].min() < resampled([found], 3, 1)[0].max() <= 1


def test_a_single_number_is_computed_anew_for_every_resample(metric):
    found = metric("def score(y, out):\n    return float(y.mean())\n").of(Y, OUTPUTS)

    (values,) = resampled([found], 3, 1)

    assert values.mean() == pytest.approx(Y.mean(), rel=0.05)
    assert values.std() == pytest.approx(Y.std() / np.sqrt(3), rel=0.15)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("def other(y, out): pass\n", "has no function `score`"),
        ("1 / 0\n", r"fails when it is loaded: ZeroDivisionError.*line 1 of my.py"),
        ("def score(y, out): return out.bad\n", r"failed: AttributeError.*line 1 of my.py"),
        ("def score(y, out): return [1.0, 2.0]\n", r"array of shape \(2,\) for 3 samples"),
        ("def score(y, out): return float('nan')\n", "no finite number"),
        ("def score(y, out): return 1\nscore.better = 'up'\n", "`score.better` is 'up'"),
    ],
)
def test_a_function_that_does_not_work_is_refused_with_what_it_said(body, message, metric):
    with pytest.raises(UsageError, match=message):
        whole(metric(body).of(Y, OUTPUTS), 3)


def test_a_missing_file_is_named():
    with pytest.raises(UsageError, match=r"no Python file at `none\.py`"):
        load_metric("none.py:score", (1,))
