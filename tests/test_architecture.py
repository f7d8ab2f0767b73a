"""The repository guards its own shape: import directions, sizes, and what an import may do."""

import ast
import itertools
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# From the bottom up: a part may import itself and every part on a lower level, in functions too.
LEVELS = (
    # the library: what numbers, layers and algorithms are
    {"quant_ops.format_facts", "tq_halp.keras_internals", "tq_halp.mixin_typing"},
    {"quant_ops.environment"},
    {
        "quant_ops",
        "tq_halp.errors",
        "tq_halp.byte_order",
        "tq_halp.first_non_finite",
        "tq_halp.keras_registration",
        "tq_halp.atomic_files",
        "tq_halp.available_memory",
        "tq_halp.states_keras_omits",
    },
    {
        "tq_halp.formats",
        "tq_halp.settings_with_origins",
        "tq_halp.processor_info",
        "tq_halp.html_document",
    },
    {"tq_halp.quantizers", "tq_halp.config", "tq_halp.data"},
    {
        "tq_halp.layers",
        "tq_halp.optimizers",
        "tq_halp.algorithms",
        "tq_halp.models",
        "tq_halp.linear",
    },
    {"tq_halp.quantization_map.layer_tree"},
    {"tq_halp.quantization_map.rules"},
    {"tq_halp.quantization_map.copying", "tq_halp.quantization_map.importers"},
    {"tq_halp.quantization_map"},
    {"tq_halp.persistence", "tq_halp.analysis"},
    {"tq_halp"},  # the lazy names of __init__: for those who use everything
    # the tools: what a run does with them
    {
        "tq_halp.commands",
        "tq_halp.commands.exit_status",
        "tq_halp.commands.shared_options",
        "tq_halp.commands.shell_completion",
    },
    {"tq_halp.commands.running"},
    {
        "tq_halp.commands.train",
        "tq_halp.commands.plan",
        "tq_halp.commands.report",
        "tq_halp.commands.bench",
        "tq_halp.commands.doctor",
    },
    {"tq_halp.commands.compare"},
    {"tq_halp.commands.dispatch"},
    # `python -m tq_halp.NAME`
    {f"tq_halp.{name}" for name in ("train", "compare", "plan", "report", "bench", "doctor")},
    {"tq_halp.__main__"},
)
LEVEL = {part: height for height, parts in enumerate(LEVELS) for part in parts}

# What a part never imports, wherever it stands; quant_ops.format_facts is of no backend.
NEVER = {
    "quant_ops": {"keras", "tq_halp"},
    "quant_ops.format_facts": {"tensorflow", "keras", "tq_halp"},
    "quant_ops.environment": {"tensorflow", "keras", "tq_halp"},
    "quant_ops.linear": {"tensorflow", "keras", "tq_halp"},
    "quant_ops.plain_arguments": {"tensorflow", "keras", "tq_halp"},
    "tq_halp.errors": {"tensorflow", "keras"},
    "tq_halp.atomic_files": {"tensorflow", "keras", "quant_ops"},
    "tq_halp.first_non_finite": {"tensorflow", "keras", "quant_ops"},
    "tq_halp.formats": {"tensorflow", "keras", "quant_ops"},
    "tq_halp.settings_with_origins": {"tensorflow", "keras", "quant_ops"},
    "tq_halp.processor_info": {"tensorflow", "keras", "quant_ops"},
    "tq_halp.config": {"tensorflow", "keras", "quant_ops"},
    "tq_halp.data": {"tensorflow", "keras", "quant_ops"},
    "tq_halp.linear": {"tensorflow", "keras"},
}

# Wrong input is answered at once, so these must not wait for TensorFlow.
LIGHT = [
    "quant_ops",
    "quant_ops.environment",
    "quant_ops.linear",
    "tq_halp",
    "tq_halp.formats",
    "tq_halp.config",
    "tq_halp.data",
    "tq_halp.linear",
    "tq_halp.commands.dispatch",
]

# The command line; everything else warns, raises or returns.
SPEAKS = {
    "quant_ops/build.py",
    "tq_halp/commands/bench/rivals/worker.py",
    "tq_halp/commands/train.py",
    "tq_halp/commands/compare/command.py",
    "tq_halp/commands/compare/tensorflow_process.py",
    "tq_halp/commands/plan.py",
    "tq_halp/commands/report.py",
    "tq_halp/commands/doctor/__init__.py",
    "tq_halp/commands/dispatch.py",
    "tq_halp/commands/exit_status.py",
}

PRIVATE = re.compile(r"tensorflow\.python|keras\.src|compat\.v1|tf_keras")
MACHINE_PATH = re.compile(r"(?<![\w.~$}])/(?:work|root|tmp|home|Users)/\w")
LONGEST = 300


def files(*folders, suffixes):
    """Files below the folders, as paths relative to the root; compiled and cached ones left out."""
    found = (path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file())
    return sorted(
        path.relative_to(ROOT).as_posix()
        for path in found
        if path.suffix in suffixes and "__pycache__" not in path.parts
    )


PACKAGES = files("quant_ops", "tq_halp", suffixes={".py"})
CODE = files("quant_ops", "tq_halp", "tests", "experiments", suffixes={".py", ".h", ".cc"})
PROSE = files("configs", "docs", suffixes={".md", ".yaml"}) + [
    path.name for path in sorted(ROOT.iterdir()) if path.suffix in {".md", ".cfg", ".toml", ".py"}
]


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def part_of(module):
    """The longest beginning of a module's name that has a level; else what would want one."""
    names = module.split(".")
    beginnings = [".".join(names[:count]) for count in range(len(names), 0, -1)]
    found = next((each for each in beginnings if each in LEVEL), beginnings[-1])
    return found if found != "tq_halp" else ".".join(names[:2])


def imports(path):
    """The modules imported anywhere in a file; of `from tq_halp import x` that is tq_halp.x."""
    found = set()
    for node in ast.walk(ast.parse(read(path))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            for name in (f"{node.module}.{alias.name}" for alias in node.names):
                is_part = node.module == "tq_halp" or name in LEVEL
                found.add(name if is_part else node.module)
    return found


def lines_with(pattern, paths):
    """The lines in which a pattern is found, as `file:line: text`."""
    return [
        f"{path}:{number}: {line.strip()}"
        for path in paths
        for number, line in enumerate(read(path).splitlines(), start=1)
        if pattern.search(line)
    ]


def module_of(path):
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def run(code):
    """Runs code in a new interpreter; the command line's order of imports is not pytest's."""
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)


def objections(path):
    """What is wrong with the imports of one file."""
    part = part_of(module_of(path))
    if part not in LEVEL:
        yield f"{part} is new: give it a level in LEVELS"
        return
    for module in sorted(imports(path)):
        other, top = part_of(module), module.split(".")[0]
        if top in NEVER.get(part, ()) and other != "quant_ops.format_facts":
            yield f"{path} imports {module}"
        if top in {"quant_ops", "tq_halp"} and other not in {part, "tq_halp.__version__"}:
            if other not in LEVEL:
                yield f"{path} imports {module}, which is no part in LEVELS"
            elif LEVEL[other] >= LEVEL[part]:
                yield f"{path} imports {module}, which does not stand below it"


def test_imports_point_downwards():
    checked = [path for path in PACKAGES if path != "tq_halp/__init__.py"]
    assert not list(itertools.chain.from_iterable(map(objections, checked)))


@pytest.mark.parametrize("name", LIGHT)
def test_import_without_tensorflow(name):
    done = run(f"import sys, {name}; sys.exit('tensorflow' in sys.modules)")
    assert done.returncode == 0, f"import {name} imports TensorFlow or fails:\n{done.stderr}"


def test_import_has_no_effects():
    """Importing every module of ours leaves every public name and class of Keras as it was."""
    modules = [module_of(path) for path in PACKAGES if "__main__" not in path]
    done = run(
        "import importlib, inspect, sys, keras\n"
        "def picture():\n"
        "    public = [m for n, m in sorted(sys.modules.items())\n"
        "              if n.split('.')[0] == 'keras' and not n.startswith('keras.src')]\n"
        "    return {(m.__name__, name): (id(value), {k: id(v) for k, v in vars(value).items()}\n"
        "            if inspect.isclass(value) else None)\n"
        "            for m in public for name, value in list(vars(m).items())\n"
        "            if not name.startswith('_')}\n"
        "before = picture()\n"
        f"for name in {modules}: importlib.import_module(name)\n"
        "after = picture()\n"
        "changed = [name for name in before if before[name] != after.get(name)]\n"
        "assert len(before) > 1000, len(before)\n"
        "assert not changed, changed\n"
    )
    assert done.returncode == 0, done.stderr


def test_public_interfaces_only():
    # Freeing TensorFlow's table of gradients between tests has no public interface.
    exempt = {Path(__file__).relative_to(ROOT).as_posix(), "tests/conftest.py"}
    assert not lines_with(PRIVATE, [path for path in CODE if path not in exempt])


def test_library_does_not_print():
    def prints(path):
        nodes = (node for node in ast.walk(ast.parse(read(path))) if isinstance(node, ast.Call))
        return any(isinstance(n.func, ast.Name) and n.func.id == "print" for n in nodes)

    assert not [path for path in PACKAGES if path not in SPEAKS and prints(path)]


def test_files_are_short():
    """A longer file holds two concepts: would a reader not look for them in two places?"""
    lengths = {path: len(read(path).splitlines()) for path in CODE}
    assert not {path: lines for path, lines in lengths.items() if lines > LONGEST}


def test_no_path_of_one_machine():
    assert not lines_with(MACHINE_PATH, CODE + PROSE)


def test_experiments_are_a_package():
    """Their modules import one another by name, so no script edits `sys.path`."""
    scripts = files("experiments", suffixes={".py"})
    assert not lines_with(re.compile(r"sys\.path"), scripts)
    assert {Path(path).parent / "__init__.py" for path in scripts} <= set(map(Path, scripts))


def test_every_experiment_is_listed():
    page = read("experiments/README.md")
    folders = {path.parent.name for path in (ROOT / "experiments").glob("*/README.md")}
    assert {name for name in folders if f"]({name}/README.md)" not in page} == set()
    linked = set(re.findall(r"\]\((\w+)/README\.md\)", page))
    assert linked - folders == set()
