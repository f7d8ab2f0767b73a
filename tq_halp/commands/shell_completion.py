"""`tq-halp completion bash|zsh|fish`: a script that completes commands and options in the shell.

The script holds tables that are made from the commands' parsers. To complete a word the shell looks
it up there and starts no Python, so nothing waits for TensorFlow.
"""

import argparse
import shlex
from collections.abc import Iterable, Iterator, Mapping

SHELLS = ("bash", "zsh", "fish")

# Without a completion of ours, the shell completes file names.
_BASH = """\
# Completes tq-halp. In ~/.bashrc:  eval "$(tq-halp completion bash)"
_tq_halp() {
  local current=${COMP_WORDS[COMP_CWORD]} last=${COMP_WORDS[COMP_CWORD-1]} command="" offered="" i
  # --option=value is three words to bash.
  if [ "$current" = "=" ]; then current=""
  elif [ "$last" = "=" ]; then last=${COMP_WORDS[COMP_CWORD-2]}; fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$command ${COMP_WORDS[i]}" in
      @paths@command="$command ${COMP_WORDS[i]}" ;;
    esac
  done
  case "$command $last" in
    @free@) return ;;
    @values@
    *) case "$command" in
    @words@
    esac ;;
  esac
  COMPREPLY=($(compgen -W "$offered" -- "$current"))
}
complete -o default -F _tq_halp tq-halp
"""
_ZSH = """\
# Completes tq-halp. In ~/.zshrc, after compinit:  eval "$(tq-halp completion zsh)"
autoload -U bashcompinit && bashcompinit
"""
_FISH = "# Completes tq-halp. In ~/.config/fish/config.fish:  tq-halp completion fish | source\n"


def parser() -> argparse.ArgumentParser:
    """The parser of the command's arguments."""
    made = argparse.ArgumentParser(
        prog="tq-halp completion",
        description="Print a script that completes tq-halp's commands and options.",
        epilog='For example in ~/.bashrc: eval "$(tq-halp completion bash)"',
    )
    made.add_argument("shell", choices=SHELLS)
    return made


def script(shell: str, commands: Mapping[str, argparse.ArgumentParser]) -> str:
    """The completion script.

    Args:
        shell: one of SHELLS.
        commands: name -> parser, in the order in which they are listed.
    """
    nodes = dict(_nodes("", commands, []))
    if shell == "fish":
        return _FISH + "".join(f"{line}\n" for line in _fish(nodes))
    return (_ZSH if shell == "zsh" else "") + _bash(nodes)


def _nodes(
    path: str, commands: Mapping, options: list, words: Mapping | None = None
) -> Iterator[tuple[str, tuple[Mapping, list]]]:
    """What may follow each command path: "" for the program, " bench", " bench ops" and so on.

    Yields:
        (path, (words, options)): words are commands and positional choices, each with its purpose;
        options are argparse actions.
    """
    yield path, ({**(words or {}), **{n: _purpose(made) for n, made in commands.items()}}, options)
    for name, made in commands.items():
        below, options, words = {}, [], {}
        for action in made._actions:  # argparse has no public list
            if isinstance(action, argparse._SubParsersAction):
                below = action.choices
            elif action.option_strings:
                options.append(action)
            else:
                words |= dict.fromkeys(map(str, action.choices or ()), "")
        yield from _nodes(f"{path} {name}", below, options, words)


def _bash(nodes: Mapping) -> str:
    free, values, words = [], [], []
    for path, (following, options) in nodes.items():
        for action in (action for action in options if action.nargs != 0):
            pattern = "|".join(shlex.quote(f"{path} {name}") for name in action.option_strings)
            if action.choices:
                values.append(f"{pattern}) offered={_list(action.choices)} ;;")
            else:
                free.append(pattern)
        names = [name for action in options for name in action.option_strings]
        words.append(f"{shlex.quote(path)}) offered={_list([*following, *names])} ;;")
    paths = "|".join(shlex.quote(path) for path in nodes if path)
    tables = {"paths": [f"{paths}) "], "free": ["|".join(free)], "values": values, "words": words}
    script = _BASH
    for name, lines in tables.items():
        script = script.replace(f"@{name}@", "\n    ".join(lines))
    return script


def _list(words: Iterable) -> str:
    """Words as one shell word."""
    return shlex.quote(" ".join(map(str, words)))


def _fish(nodes: Mapping) -> Iterator[str]:
    for path, (following, options) in nodes.items():
        names = path.split()
        seen = [f"__fish_seen_subcommand_from {name}" for name in names]
        if following:
            seen.append(f"not __fish_seen_subcommand_from {' '.join(following)}")
        condition = f"complete -c tq-halp -n {shlex.quote('; and '.join(seen) or 'true')}"
        for word, purpose in following.items():
            yield f"{condition} -f -a {shlex.quote(word)} -d {shlex.quote(purpose)}"
        for action in options:
            parts = [condition]
            for name in action.option_strings:
                parts.append(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}")
            if action.nargs != 0:
                parts.append("-r")
            if action.choices:
                parts.append(f"-f -a {shlex.quote(' '.join(map(str, action.choices)))}")
            text = (action.help or "") % vars(action)
            yield " ".join([*parts, "-d", shlex.quote(text)])


def _purpose(made: argparse.ArgumentParser) -> str:
    """The first sentence of a parser's description."""
    return " ".join((made.description or "").split()).partition(". ")[0].rstrip(".")
