"""What Keras looks like, so that a test can say that nobody changed it."""

import inspect

import keras

# Python puts them there when somebody asks for the annotations of a class, or when it warns.
PYTHONS_OWN = ("__annotations__", "__warningregistry__")


def picture_of_keras(*others):
    """Every public name of Keras, and the attributes of every class that it names or builds on.

    Of `others`, such as a user's own classes, likewise.
    """
    pending, seen, picture = [keras, *others], set(), {}
    while pending:
        value = pending.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        held = {name: id(each) for name, each in vars(value).items() if name not in PYTHONS_OWN}
        picture[id(value)] = (value, held)
        for each in list(vars(value).values()):
            is_module = inspect.ismodule(each) and each.__name__.split(".")[0] == "keras"
            is_class = inspect.isclass(each) and each.__module__.split(".")[0] == "keras"
            if is_class:
                pending += [base for base in each.__mro__ if base.__module__.startswith("keras")]
            if is_module or is_class:
                pending.append(each)
    return picture
