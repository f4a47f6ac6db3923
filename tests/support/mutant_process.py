"""A supervisor or worker with guards removed: `python -I mutant_process.py MODULE ARGUMENTS GUARDS`."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from removed_guards import take_out

if __name__ == "__main__":
    module, *arguments, names = sys.argv[1:]
    take_out(tuple(names.split(",")), lambda where, name, value: setattr(import_module(where), name, value))
    if module == "edgewright.tools.supervisor":
        start = subprocess.Popen

        def start_mutant(command: list[str], **options: object) -> object:
            return start([command[0], "-I", __file__, *command[3:], names], **options)  # type: ignore[call-overload]

        subprocess.Popen = start_mutant  # type: ignore[assignment,misc]
    sys.argv = [module, *arguments]
    import_module(module).main()
