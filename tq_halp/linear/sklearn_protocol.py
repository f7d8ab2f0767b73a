"""What scikit-learn expects of an estimator that does not inherit from it, without importing it.

scikit-learn asks for the tags, so it is imported by then. Its users catch its exceptions and filter
its warnings: where it is imported, ours are subclasses of both.
"""

import functools
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sklearn.utils import Tags


class NotFittedError(ValueError, AttributeError):
    """The estimator is used before `fit`."""


class ConvergenceWarning(UserWarning):
    """Training ended before the gradient was as small as `tol` asks."""


class DataConversionWarning(UserWarning):
    """Input was converted to what was probably meant, or quantization loses much of it."""


def shared_with_sklearn(ours: type) -> type:
    """`ours`, or a subclass of it and of the class in `sklearn.exceptions` with the same name."""
    theirs = getattr(sys.modules.get("sklearn.exceptions"), ours.__name__, None)
    return ours if theirs is None else _joined(ours, theirs)


@functools.cache
def _joined(ours: type, theirs: type) -> type:
    # Pickled as our class, which can be found by name, also in a process without scikit-learn.
    members = {
        "__doc__": ours.__doc__,
        "__module__": ours.__module__,
        "__reduce__": lambda self: (ours, self.args),
    }
    return type(ours.__name__, (ours, theirs), members)


def sklearn_tags(kind: str) -> "Tags":
    """The tags of an estimator of dense, finite 2-D data; `kind` is "regressor" or "classifier"."""
    from sklearn.utils import ClassifierTags, RegressorTags, Tags, TargetTags

    return Tags(
        estimator_type=kind,
        target_tags=TargetTags(required=True),
        classifier_tags=ClassifierTags() if kind == "classifier" else None,
        regressor_tags=RegressorTags() if kind == "regressor" else None,
    )
