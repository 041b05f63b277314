"""What the annotations of options say, and where it shows: signatures, docstrings, checks."""

import inspect
import re

import pytest

import elman.tasks
from elman.tasks._options import Help, options_of

ESTIMATORS = [getattr(elman.tasks, name) for name in elman.tasks.__all__ if name != "InputError"]


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda estimator: estimator.__name__)
def test_every_option_is_documented_and_its_default_is_sound(estimator):
    arguments = estimator.__doc__.partition("    Args:\n")[2].partition("    Attributes:\n")[0]
    documented = re.findall(r"^ {8}(\w+): ", arguments, re.MULTILINE)
    assert sorted(documented) == sorted(estimator().get_params())
    for option in options_of(estimator):
        assert option.refusal(option.default) == ""
        assert bool(option.notes[Help].otherwise) == option.optional, option.name


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda estimator: estimator.__name__)
def test_signatures_show_plain_types_and_take_keywords_alone(estimator):
    parameters = inspect.signature(estimator).parameters.values()
    assert {parameter.kind for parameter in parameters} == {inspect.Parameter.KEYWORD_ONLY}
    assert "Annotated" not in str(inspect.signature(estimator))
    with pytest.raises(TypeError, match=rf"^{estimator.__name__}.__init__\(\) got an unexpected keyword argument 'no'"):
        estimator(no=1)


def test_what_a_subclass_says_anew_of_an_option_leaves_the_rest():
    units = {option.name: option for option in options_of(elman.tasks.Forecaster)}["hidden_size"]
    assert (units.default, units.notes[Help].text) == (32, "units of each recurrent layer")
    assert (units.refusal(2**20), units.refusal(2**20 + 1)) == ("", "an integer of at most 1048576")
