import pytest

from edgeprof.compress.recipes import RECIPES, check_recipe, find_recipes, parse_recipe, read_recipe
from edgeprof.compress.steps import STEPS, Channels, Prune, Qat
from edgeprof.errors import UsageError

OWN = """
name = "mine"
conversion = "int8"

[[step]]
kind = "prune"
sparsity = 0.8
epochs = 5

[[step]]
kind = "qat"
keep = "zeros"
"""


def refused(*steps, conversion="int8"):
    with pytest.raises(UsageError) as caught:
        parse_recipe({"name": "mine", "step": list(steps), "conversion": conversion})
    return caught.value


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_every_named_recipe_can_be_and_survives_being_written_and_read(recipe):
    check_recipe(recipe)

    assert parse_recipe(recipe.fields()) == recipe


def test_a_recipe_of_ones_own_is_read_from_toml(tmp_path):
    path = tmp_path / "any.toml"
    path.write_text(OWN)

    (found,) = find_recipes([str(path)])

    assert (found.name, found.conversion.type) == ("mine", "int8")
    assert found.steps == (Prune(sparsity=0.8, epochs=5), Qat(keep="zeros"))


def test_a_recipe_without_a_name_is_called_like_its_file(tmp_path):
    path = tmp_path / "tight.toml"
    path.write_text('conversion = "fp16"')

    assert read_recipe(path).name == "tight"


def test_two_recipes_of_one_name_are_refused(tmp_path):
    path = tmp_path / "int8.toml"
    path.write_text('conversion = "fp16"')

    with pytest.raises(UsageError, match="two recipes are called `int8`"):
        find_recipes(["int8", str(path)])


def test_an_unknown_step_suggests_the_nearest():
    error = refused({"kind": "prun"})

    assert error.message == "unknown step: `prun`"
    assert error.hint.startswith("did you mean `prune`? known steps: ")
    assert all(kind in error.hint for kind in STEPS)


def test_an_unknown_key_lists_the_known_ones():
    error = refused({"kind": "prune", "sparsty": 0.5})

    assert error.message == "unknown key `sparsty` of step `prune`"
    assert error.hint.startswith("did you mean `sparsity`? known: ")
    assert "begin" in error.hint


def test_a_value_of_another_type_or_out_of_range_is_refused():
    assert "is 'half', which is no float" in refused({"kind": "prune", "sparsity": "half"}).message
    assert "`sparsity = 1.5` of step `prune` is out of range" in refused({"kind": "prune", "sparsity": 1.5}).message
    assert "is True, which is no int" in refused({"kind": "prune", "epochs": True}).message
    assert "not a list of strings" in refused({"kind": "prune", "leave": "dense"}).message


def test_steps_that_undo_one_another_are_refused():
    error = refused({"kind": "qat"}, {"kind": "prune"})

    assert error.message == "recipe `mine`: step `prune` after `qat` would undo it"


def test_plain_qat_after_pruning_is_refused_for_it_loses_the_zeros():
    error = refused({"kind": "prune"}, {"kind": "qat"})

    assert error.message == "recipe `mine`: step `qat` would lose the zeros that earlier steps made"
    assert error.hint == 'set `keep = "zeros"` in step `qat`'


def test_qat_after_pruning_and_clustering_has_to_keep_both():
    steps = {"kind": "prune"}, {"kind": "cluster", "keep": "zeros"}

    assert refused(*steps, {"kind": "qat", "keep": "zeros"}).hint == 'set `keep = "zeros+clusters"` in step `qat`'


def test_keeping_what_no_step_makes_is_refused():
    assert "no step before it makes any" in refused({"kind": "qat", "keep": "zeros"}).message


def test_qat_goes_with_int8_only():
    assert (
        "step `qat` trains for int8, and the conversion is fp16" in refused({"kind": "qat"}, conversion="fp16").message
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("conversion = ", "is no TOML"),
        ("steps = []", "unknown key `steps` of a recipe"),
        ("step = 3", "`step` is no list of tables"),
        ('name = "../../etc"', "cannot be called"),
        ('conversion = "int7"', "`type = 'int7'` of the conversion is unknown"),
        ("[conversion]\nkind = 3", "unknown key `kind` of the conversion"),
    ],
)
def test_a_file_that_is_no_recipe_says_why(text, message, tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(text)

    with pytest.raises(UsageError, match=message):
        read_recipe(path)


@pytest.mark.parametrize("text", ["", 'name = "mine"'])
def test_a_recipe_file_that_asks_for_nothing_is_no_recipe_for_float(text, tmp_path):
    (tmp_path / "empty.toml").write_text(text)

    with pytest.raises(UsageError, match="asks for nothing: neither a step nor a conversion"):
        read_recipe(tmp_path / "empty.toml")


def test_a_recipe_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"cannot read the recipe `.*none\.toml`"):
        find_recipes([str(tmp_path / "none.toml")])


def test_a_teacher_is_named_in_a_recipe_and_left_out_of_one_without():
    table = {"kind": "channels", "teacher": "float", "soft": 0.5}

    taught = parse_recipe({"name": "mine", "step": [table]})

    assert taught.steps == (Channels(teacher="float", soft=0.5),)
    assert parse_recipe(taught.fields()) == taught
    assert {"teacher", "soft", "temperature"}.isdisjoint(Channels().fields())  # as artifacts of older code say


def test_what_is_said_of_a_teacher_that_is_not_there_is_refused():
    assert "`soft` of step `qat` is said of a teacher" in refused({"kind": "qat", "soft": 0.5}).message
    assert "`teacher = 'flot'` of step `prune` is unknown" in refused({"kind": "prune", "teacher": "flot"}).message
    assert "unknown key `teacher` of step `distill`" in refused({"kind": "distill", "teacher": "float"}).message
