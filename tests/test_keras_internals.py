"""Private names of Keras and TensorFlow are used in the modules that are made for them alone."""

import ast
import importlib
import inspect
import textwrap
from pathlib import Path

import keras
import pytest

ROOT = Path(__file__).resolve().parent.parent
#: Where private names of Keras and TensorFlow are wrapped.
WRAPPERS = ("tq_halp/keras_internals/", "quant_ops/tensorflow_internals.py")
#: Other private names, by the file or the folder that uses them. This list should not grow.
ALLOWED = {
    # argparse shows its commands and options nowhere else.
    "tq_halp/commands/shell_completion.py": {"_actions", "_SubParsersAction"},
    # The frame of the caller, for the level of a warning.
    "quant_ops/library.py": {"_getframe"},
}
#: Private methods of Keras that classes of ours override, and why.
OVERRIDDEN = {
    "_compute_attention": "Keras documents it as the method to override for customized attention",
}
FILES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("quant_ops", "tq_halp")
    for path in (ROOT / folder).rglob("*.py")
    if not path.relative_to(ROOT).as_posix().startswith(WRAPPERS)
)


def is_private(name):
    """Of one underscore; `__internal__` is TensorFlow's, and what Python documents is public."""
    if name in ("_replace", "_asdict", "_fields"):  # of named tuples
        return False
    return name == "__internal__" or (name.startswith("_") and not name.startswith("__"))


def parse(path):
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


def is_self(node):
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


def defined_names(tree):
    """The private names that the classes of a module define: methods, fields, attributes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for each in node.body:
                targets = getattr(each, "targets", [getattr(each, "target", None)])
                yield from (target.id for target in targets if isinstance(target, ast.Name))
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        stores = isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
        if stores and is_self(node.value):
            yield node.attr
        if isinstance(node, ast.keyword) and node.arg:  # as in vars(layer).update(_name=...)
            yield node.arg


def used_names(tree):
    """(line, object, private name) of each attribute that is read, set or asked for by a string."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            yield node.lineno, node.value, node.attr
        called = node.func if isinstance(node, ast.Call) else None
        if isinstance(called, ast.Name) and called.id in ("getattr", "setattr", "hasattr"):
            given = node.args[1]
            if isinstance(given, ast.Constant) and is_private(given.value):
                yield node.lineno, node.args[0], given.value


def private_names_of(a_class):
    """The private methods and attributes that a class defines, without its parents."""
    names = set(vars(a_class))
    try:
        names |= set(defined_names(ast.parse(textwrap.dedent(inspect.getsource(a_class)))))
    except OSError:  # made by `type(...)`, so it has no source
        pass
    return set(filter(is_private, names))


@pytest.fixture(scope="module")
def names_of_keras():
    """The private names of the objects of Keras that the library meets, their parents' too."""
    modules = (keras, keras.layers, keras.optimizers, keras.callbacks, keras.random)
    public = (value for module in modules for value in vars(module).values())
    classes = {parent for each in public if inspect.isclass(each) for parent in each.__mro__}
    return set().union(*map(private_names_of, filter(is_of_keras, classes)))


def is_of_keras(each):
    return each.__module__.split(".")[0] == "keras"


OWN = {name for path in FILES for name in defined_names(parse(path)) if is_private(name)}


@pytest.mark.parametrize("path", FILES)
def test_no_private_name_of_others(path, names_of_keras):
    """A private name belongs to others if no class of ours defines it, or if Keras does as well.

    On `self` the second does not count: whether a class of ours overrides it is tested below.
    """
    allowed = {n for place, names in ALLOWED.items() if path.startswith(place) for n in names}
    found = [
        f"{path}:{line}: {ast.unparse(value)} has the private name {name}: give it a function in "
        f"{' or '.join(WRAPPERS)}"
        for line, value, name in used_names(parse(path))
        if name not in allowed | set(OVERRIDDEN)
        and (name not in OWN or (name in names_of_keras and not is_self(value)))
    ]
    assert not found, "\n".join(found)


def classes_of_ours():
    """Every class in the modules of tq_halp."""
    for path in FILES:
        if path.startswith("tq_halp/") and not path.endswith("__main__.py"):
            module = importlib.import_module(path.removesuffix(".py").replace("/", "."))
            values = vars(module).values()
            yield from (each for each in values if inspect.isclass(each) and is_ours(each))


def is_ours(each):
    return each.__module__.split(".")[0] == "tq_halp"


def test_no_private_method_of_keras_is_overridden():
    """Nor is a private attribute of Keras set by a class of ours."""
    found = set()
    for each in set(classes_of_ours()):
        theirs = set().union(*map(private_names_of, filter(is_of_keras, each.__mro__)))
        for parent in filter(is_ours, each.__mro__):
            found |= {(parent.__name__, name) for name in private_names_of(parent) & theirs}
    assert {name for _, name in found} == set(OVERRIDDEN), found
