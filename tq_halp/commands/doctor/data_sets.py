"""Which data sets are on this machine; none is fetched."""

import importlib.util
import pkgutil
from collections.abc import Iterator

from tq_halp.commands.doctor.finding import OK, WARNING, Finding


def data_sets() -> Iterator[Finding]:
    """A finding for each set whose files `tq_halp.data` knows, and one for python_docs."""
    from tq_halp.data.locate import cache_folder, on_this_machine

    for known in _known_sets():
        name, folder = f"data: {known.name}", on_this_machine(known)
        if folder is None:
            files = ", ".join(file.name for file in known.files)
            remedy = f"fetched when it is first used; or put {files} into "
            remedy += f"{cache_folder(known.name)} or $TQ_HALP_DATA/{known.folders[0]}"
            yield Finding(name, WARNING, "not on this machine", remedy)
        else:
            yield Finding(name, OK, str(folder))
    there = importlib.util.find_spec("pydoc_data.topics") is not None
    remedy = "" if there else "take a Python that carries its manual (pydoc_data.topics)"
    found = "Python's own manual" if there else "this Python carries no manual"
    yield Finding("data: python_docs", OK if there else WARNING, found, remedy)


def _known_sets() -> list:
    """Every KnownSet in the modules of tq_halp.data."""
    from tq_halp import data
    from tq_halp.data.files import KnownSet

    modules = [
        importlib.import_module(f"{data.__name__}.{module.name}")
        for module in pkgutil.iter_modules(data.__path__)
    ]
    values = (value for module in modules for value in vars(module).values())
    return list({value.name: value for value in values if isinstance(value, KnownSet)}.values())
