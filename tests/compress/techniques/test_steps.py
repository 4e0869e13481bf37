"""The steps as recipes run them: with training data, and without."""

import re
from dataclasses import replace

import numpy as np
import pytest

from edgeprof.compress import channel_pruning, discretising, distilling, low_rank, pruning
from edgeprof.compress.bridge import to_tf_keras
from edgeprof.compress.masking import grown
from edgeprof.compress.program import load_program
from edgeprof.compress.steps import Channels, Discrete, Distill, LowRank, Prune, parse_step
from edgeprof.compress.techniques.coupling import couple, macs
from edgeprof.compress.techniques.graph import copy
from edgeprof.compress.techniques.statistics import renew
from edgeprof.compress.teller import Teller
from edgeprof.compress.training_data import prepare
from edgeprof.compress.training_files import Labelled, TrainingFile
from edgeprof.errors import ModelError, UsageError
from tests.compress.conftest import silent
from tests.compress.techniques.conftest import randomise, run

pytestmark = pytest.mark.tensorflow


@pytest.fixture
def teller():
    return Teller(silent)


def cost(model):
    coupling = couple(copy(model))
    return macs(coupling, coupling.all_kept())


def validation_loss(model, data):
    """Return the loss on samples that no gradient saw."""
    model.compile(loss=data.loss)
    return model.evaluate(data.validation.x[0], data.validation.y[0], verbose=0)


def images(rng, n, labels=True):
    """Return images whose class is the place of a bright square, with noise."""
    y = rng.integers(0, 4, n)
    x = rng.normal(0, 0.5, (n, 8, 8, 3)).astype(np.float32)
    for image, place in zip(x, y, strict=True):
        image[place // 2 * 4 : place // 2 * 4 + 3, place % 2 * 4 : place % 2 * 4 + 3] += 1
    return Labelled((x,), (y,) if labels else None)


@pytest.fixture(scope="module")
def trained(tk):
    """A model that knows the squares, and data to go on with."""
    rng = np.random.default_rng(8)
    tk.utils.set_random_seed(8)
    model = tk.Sequential(
        [
            tk.Input((8, 8, 3)),
            tk.layers.Conv2D(16, 3, padding="same", use_bias=False),
            tk.layers.BatchNormalization(),
            tk.layers.ReLU(),
            tk.layers.MaxPooling2D(),
            tk.layers.Conv2D(24, 3, activation="relu"),
            tk.layers.Flatten(),
            tk.layers.Dense(24, activation="relu"),
            tk.layers.Dense(4, activation="softmax"),
        ]
    )
    data = images(rng, 600)
    model.compile(tk.optimizers.Adam(0.003), "sparse_categorical_crossentropy")
    model.fit(data.x[0], data.y[0], batch_size=32, epochs=4, verbose=0)
    assert score(model) > 0.95
    return model


def training(model, *, labels=True, seed=0):
    rng = np.random.default_rng(9)
    return prepare(TrainingFile(images(rng, 480, labels), images(rng, 120, labels)), model, seed)


def score(model):
    test = images(np.random.default_rng(10), 500)
    return float((run(model, test.x[0]).argmax(axis=1) == test.y[0]).mean())


@pytest.mark.parametrize(("importance", "labels"), [("l2", True), ("taylor", False), ("fisher", True)])
def test_half_of_the_work_goes_and_fine_tuning_brings_the_accuracy_back(importance, labels, trained, teller):
    step = Channels(share=0.5, importance=importance, epochs=3, batch_size=32, samples=48)

    made = channel_pruning.apply(trained, step, training(trained, labels=labels), teller)

    assert 0.4 * cost(trained) < cost(made) <= 0.5 * cost(trained)
    assert score(made) > score(trained) - 0.05
    assert teller.notes[0][0] == "channels_removed"
    assert teller.warnings == []


def test_training_that_ends_while_each_epoch_is_better_says_how_few_steps_it_had(trained, teller):
    step = Channels(share=0.5, epochs=2, batch_size=240, learning_rate=1e-4)

    data = replace(training(trained), metrics=(["accuracy"],))  # as of a model of several outputs

    channel_pruning.apply(trained, step, data, teller)

    assert "the last of 2 epochs was the best, after 4 gradient steps on 480 samples" in dict(teller.notes)["few_steps"]


def test_training_whose_best_epoch_was_an_earlier_one_had_enough(trained, teller):
    step = Channels(share=0.3, epochs=2, batch_size=240, learning_rate=5.0)

    channel_pruning.apply(trained, step, training(trained), teller)

    assert "few_steps" not in dict(teller.notes)


def test_the_users_metrics_are_said_with_each_epoch(trained):
    heard = []
    data = replace(training(trained), metrics=("accuracy",))

    channel_pruning.apply(trained, Channels(share=0.3, epochs=1), data, Teller(lambda text, _: heard.append(text)))

    assert re.search(r"epoch 1 of 1, validation loss [\d.]+, accuracy (0\.\d+|1)$", heard[-1])


def test_without_data_channels_go_at_once_and_it_says_so(trained, teller):
    made = channel_pruning.apply(trained, Channels(share=0.3, multiple=4), None, teller)

    assert cost(made) <= 0.7 * cost(trained)
    assert [code for code, _ in teller.warnings] == ["not_fine_tuned"]
    assert "conv2d" in dict(teller.notes)["channels_removed"]


def test_importance_by_gradient_without_data_is_refused(trained, teller):
    with pytest.raises(UsageError, match="importance `taylor` is computed from samples"):
        channel_pruning.apply(trained, Channels(importance="taylor"), None, teller)


def test_layers_to_leave_keep_their_channels(trained, teller):
    name = trained.layers[4].name

    made = channel_pruning.apply(trained, Channels(share=0.3, leave=(name,)), None, teller)

    assert made.get_layer(name).filters == 24


def test_a_layer_to_leave_that_is_not_there_is_refused(trained, teller):
    with pytest.raises(ModelError, match="`leave` names `conv9`, and no layer so called makes channels") as caught:
        channel_pruning.apply(trained, Channels(leave=("conv9",)), None, teller)

    assert trained.layers[4].name in caught.value.hint


def test_a_model_whose_weights_are_zero_is_refused(trained, tk, teller):
    dead = copy(trained)
    dead.set_weights([w * 0 for w in dead.get_weights()])

    with pytest.raises(ModelError, match="importance `l2` is zero for every channel"):
        channel_pruning.apply(dead, Channels(), None, teller)


def test_low_rank_within_a_budget_keeps_the_accuracy(trained, teller):
    step = LowRank(budget=0.6, epochs=5, batch_size=32)

    made = low_rank.apply(trained, step, training(trained), teller)

    assert cost(made) <= 0.6 * cost(trained)
    assert score(made) > score(trained) - 0.05
    assert teller.notes[0][0] == "rank_lowered"


def student_and_teacher(tk, seed):
    """Return a known teacher of ten inputs, a student an eighth as wide, few samples and noisy labels, and a test set."""
    tk.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    inputs = tk.Input((10,))
    x = tk.layers.Dense(32, activation="tanh")(inputs)
    teacher = tk.Model(inputs, tk.layers.Dense(5, activation="softmax")(x))
    teacher.set_weights([rng.normal(size=w.shape) for w in teacher.get_weights()])
    x = rng.normal(size=(1400, 10)).astype(np.float32)
    y = run(teacher, x).argmax(axis=1)
    noisy = np.where(rng.random(len(y)) < 0.4, rng.integers(0, 5, len(y)), y)
    file = TrainingFile(Labelled((x[:200],), (noisy[:200],)), Labelled((x[200:400],), (noisy[200:400],)))
    return teacher, file, (x[400:], y[400:])


def test_a_distilled_student_beats_the_same_student_alone(tk, teller):
    gains = []
    for seed in range(4):
        teacher, file, (x, y) = student_and_teacher(tk, seed)
        data = prepare(file, teacher, seed)
        common = {
            "width": 0.25,
            "start": "fresh",
            "epochs": 25,
            "patience": 25,
            "learning_rate": 0.02,
            "batch_size": 32,
        }
        found = {}
        for name, soft in (("alone", 0.0), ("distilled", 0.9)):
            tk.utils.set_random_seed(seed)  # the same first weights for both
            student = distilling.apply(teacher, Distill(soft=soft, temperature=2.0, **common), data, teller)
            assert student.count_params() < teacher.count_params() / 3
            found[name] = float((run(student, x).argmax(axis=1) == y).mean())
        gains.append(found["distilled"] - found["alone"])

    assert np.mean(gains) > 0.03
    assert np.mean(gains) > 1.5 * np.std(gains, ddof=1) / np.sqrt(len(gains))


def test_a_student_learns_without_labels_and_with_hints(trained, teller):
    hint = f"{trained.layers[4].name}:{trained.layers[4].name}"
    step = Distill(width=0.5, start="fresh", hints=(hint,), epochs=6, learning_rate=0.005, batch_size=32)

    student = distilling.apply(trained, step, training(trained, labels=False), teller)

    assert student.get_layer(trained.layers[4].name).filters == 12
    assert score(student) > 0.9
    assert "distilled" in dict(teller.notes)


def test_a_student_of_ones_own_is_taken_from_its_file(trained, tk, teller, tmp_path):
    tk.Sequential([tk.Input((8, 8, 3)), tk.layers.Flatten(), tk.layers.Dense(4)]).save(tmp_path / "own.keras")
    step = parse_step({"kind": "distill", "student": str(tmp_path / "own.keras"), "epochs": 2})

    student = distilling.apply(trained, step, training(trained), teller)

    assert [type(layer).__name__ for layer in student.layers] == ["InputLayer", "Flatten", "Dense"]
    assert step.files() == (str(tmp_path / "own.keras"),)


def test_a_student_of_other_outputs_is_refused(trained, tk, teller, tmp_path):
    tk.Sequential([tk.Input((8, 8, 3)), tk.layers.Flatten(), tk.layers.Dense(3)]).save(tmp_path / "own.keras")

    with pytest.raises(ModelError, match=r"has outputs of \[\(3,\)\], the teacher of \[\(4,\)\]"):
        distilling.apply(trained, Distill(student=str(tmp_path / "own.keras")), training(trained), teller)


@pytest.mark.parametrize(
    ("hint", "message"),
    [("nowhere", "the teacher has no layer `nowhere` for the hint"), ("{4}:{3}", "height and width must be the same")],
)
def test_a_hint_that_cannot_be_says_why(hint, message, trained, teller):
    hint = hint.format(*(layer.name for layer in trained.layers))

    with pytest.raises(ModelError, match=message):
        distilling.apply(trained, Distill(hints=(hint,)), training(trained), teller)


def test_a_student_that_is_not_there_is_refused_before_anything_runs():
    with pytest.raises(UsageError, match="there is no student at `nowhere.keras`"):
        parse_step({"kind": "distill", "student": "nowhere.keras"})


@pytest.mark.parametrize("levels", ["binary", "ternary"])
def test_discrete_weights_trained_beat_those_rounded_at_once(levels, trained, teller):
    at_once, tuned = (
        discretising.apply(
            trained, Discrete(levels=levels, epochs=epochs, batch_size=32, ends=True), training(trained), teller
        )
        for epochs in (0, 5)
    )

    data = training(trained)
    assert validation_loss(tuned, data) < validation_loss(at_once, data) / 2
    assert score(tuned) > 0.95
    kernel = tuned.get_layer(trained.layers[4].name).kernel.numpy()
    assert max(len(np.unique(kernel[..., i])) for i in range(24)) <= (2 if levels == "binary" else 3)
    assert "no runtime here is faster by it" in dict(teller.notes)["packed_size"]


def test_the_model_given_is_never_changed(trained, teller):
    before = [w.copy() for w in trained.get_weights()]
    data = training(trained)

    for module, step in (
        (channel_pruning, Channels(epochs=1)),
        (low_rank, LowRank(epochs=1, budget=0.7)),
        (distilling, Distill(epochs=1)),
        (discretising, Discrete(epochs=1)),
    ):
        module.apply(trained, step, data, teller)

    for old, new in zip(before, trained.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_two_outputs_are_distilled_both(tk, rng, teller):
    inputs = tk.Input((8, 8, 3))
    x = tk.layers.Flatten()(tk.layers.Conv2D(8, 3, activation="relu")(inputs))
    outputs = [tk.layers.Dense(3, activation="softmax")(x), tk.layers.Dense(1, activation="sigmoid")(x)]
    teacher = randomise(tk.Model(inputs, outputs), rng)
    x = rng.normal(size=(40, 8, 8, 3)).astype(np.float32)
    y = (rng.integers(0, 3, 40), rng.integers(0, 2, 40))
    file = TrainingFile(Labelled((x[:30],), tuple(a[:30] for a in y)), Labelled((x[30:],), tuple(a[30:] for a in y)))

    student = distilling.apply(teacher, Distill(epochs=1, soft=0.5), prepare(file, teacher, 0), teller)

    assert [tuple(output.shape[1:]) for output in student.outputs] == [(3,), (1,)]
    assert student.count_params() < teacher.count_params()


@pytest.mark.parametrize(("importance", "pattern"), [("taylor", "any"), ("fisher", "2:4")])
def test_weights_pruned_by_gradient_stay_zero_while_the_rest_is_tuned(importance, pattern, trained, teller):
    share = 0.7 if pattern == "any" else 0.5
    step = Prune(sparsity=share, pattern=pattern, importance=importance, epochs=3, batch_size=32, samples=48)

    made = pruning.apply(trained, step, training(trained), teller)

    kernels = [layer.kernel.numpy() for layer in made.layers if hasattr(layer, "kernel")]
    whole = [kernel for kernel in kernels if kernel.shape[-2] % 4 == 0 or pattern == "any"]
    assert len(whole) >= 3
    assert all(int((kernel == 0).sum()) == round(share * kernel.size) for kernel in whole)
    assert score(made) > score(trained) - 0.05


@pytest.mark.parametrize("importance", ["l1", "taylor", "fisher"])
def test_over_all_kernels_weights_go_on_a_schedule_that_ends_at_the_share_asked_for(importance, trained, teller):
    step = Prune(sparsity=0.8, scope="global", importance=importance, epochs=3, batch_size=16, samples=48)

    made = pruning.apply(trained, step, training(trained), teller)

    kernels = [layer.kernel.numpy() for layer in made.layers if hasattr(layer, "kernel")]
    assert sum(int((kernel == 0).sum()) for kernel in kernels) == round(0.8 * sum(kernel.size for kernel in kernels))
    assert score(made) > score(trained) - 0.05


def test_a_schedule_that_begins_and_ends_with_the_same_step_is_complete(trained, teller):
    step = Prune(sparsity=0.8, scope="global", begin=0.9, end=1.0, epochs=1, batch_size=10_000)

    made = pruning.apply(trained, step, training(trained), teller)

    kernels = [layer.kernel.numpy() for layer in made.layers if hasattr(layer, "kernel")]
    assert sum(int((kernel == 0).sum()) for kernel in kernels) == round(0.8 * sum(kernel.size for kernel in kernels))


def test_the_schedule_is_that_of_its_source():
    assert [grown(0.8, share) for share in (-1, 0, 0.5, 1, 2)] == pytest.approx([0, 0, 0.7, 0.8, 0.8])


@pytest.mark.filterwarnings("ignore:distutils Version classes:DeprecationWarning")  # of TFMOT, as it is imported
@pytest.mark.parametrize("tuned", [False, True])
def test_two_of_four_leaves_a_kernel_of_one_input_channel_as_it_is_and_names_it(tuned, tk, teller):
    pixel = tk.layers.Conv2D(8, 2, 2, name="pixel")  # four inputs, of one channel
    layers = [pixel, tk.layers.Conv2D(4, 1, name="wide"), tk.layers.Flatten(), tk.layers.Dense(4, name="flat")]
    model = tk.Sequential([tk.Input((8, 8, 1)), *layers, tk.layers.Softmax()])
    file = TrainingFile(*(Labelled((np.ones((20, 8, 8, 1), np.float32),), (np.arange(20) % 4,)) for _ in range(2)))
    data = prepare(file, model, 0) if tuned else None

    made = pruning.apply(model, Prune(pattern="2:4", epochs=2, batch_size=4), data, teller)

    zeros = {name: float((made.get_layer(name).kernel.numpy() == 0).mean()) for name in ("pixel", "wide", "flat")}
    assert zeros == {"pixel": 0, "wide": 0.5, "flat": 0.5}
    assert any("left as they are: pixel" in text for code, text in teller.warnings if code == "left_dense")


def test_over_all_kernels_the_share_is_of_all_weights(trained, teller):
    made = pruning.apply(trained, Prune(sparsity=0.6, scope="global"), None, teller)

    kernels = [layer.kernel.numpy() for layer in made.layers if hasattr(layer, "kernel")]
    shares = [(kernel == 0).mean() for kernel in kernels]
    assert sum(int((kernel == 0).sum()) for kernel in kernels) == round(0.6 * sum(kernel.size for kernel in kernels))
    assert max(shares) > min(shares) + 0.1


def test_pruning_by_gradient_without_data_is_refused(trained, teller):
    with pytest.raises(UsageError, match="importance `fisher` is computed from samples"):
        pruning.apply(trained, Prune(importance="fisher"), None, teller)


def test_two_of_four_over_all_kernels_is_refused():
    with pytest.raises(UsageError, match="2:4 takes the same share everywhere"):
        parse_step({"kind": "prune", "pattern": "2:4", "scope": "global"})


def test_statistics_taken_anew_bring_accuracy_back_without_training(example, teller):
    model = to_tf_keras(load_program(example / "fashion_cnn.keras", trust=False).owner)
    with np.load(example / "calibration.npz") as file:
        data = prepare(TrainingFile(Labelled((file["x"][:180],), None), Labelled((file["x"][180:],), None)), model, 0)
    with np.load(example / "test.npz") as test:
        x, y = test["x"][:500], test["y"][:500]

    blind, seeing = (
        (run(channel_pruning.apply(model, Channels(share=0.2, epochs=0), given, teller), x).argmax(axis=1) == y).mean()
        for given in (None, data)
    )

    assert seeing > blind + 0.2


def test_statistics_are_those_of_the_batches(tk, rng):
    inputs = tk.Input((3,))
    model = tk.Model(inputs, tk.layers.BatchNormalization(name="norm")(inputs))
    x = rng.normal(5, 2, (640, 3)).astype(np.float32)

    renew(model, [x])

    norm = model.get_layer("norm")
    np.testing.assert_allclose(norm.moving_mean.numpy(), x.mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(norm.moving_variance.numpy(), x.reshape(10, 64, 3).var(axis=1).mean(axis=0), rtol=1e-3)
    assert norm.momentum == 0.99
