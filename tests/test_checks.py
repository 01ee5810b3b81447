import pytest

from vtlearn.checks import require_positive
from vtlearn.errors import ArgumentError


@pytest.mark.parametrize("number", [0, -1, float("nan")])
def test_what_is_not_positive_is_refused_by_name(number: float) -> None:
    require_positive(fps=1e-9)
    with pytest.raises(ArgumentError, match="fps must be positive"):
        require_positive(size=1, fps=number)
