"""What `corpus.compiled.build` runs in a folder with a copy of the sources: mypyc, then the C compiler.

A process of its own, for both change the process that they run in: `python -m corpus.compiled.translate OUTPUT`.
"""

import sys
from importlib import import_module
from typing import Any

from corpus.compiled.builds import GROUP, MODULES

# Faults of types are `make check`'s to find; imports that have no types are Any here as there.
_OPTIONS = ("--ignore-missing-imports", "--follow-imports=silent", "--cache-dir=mypy_cache")


def main(output: str) -> None:
    """Compile the modules of the copy in the current folder into `output`; raises SystemExit when that fails."""
    mypyc: Any = import_module("mypyc.build")
    setuptools: Any = import_module("setuptools")
    paths = [f"{module.replace('.', '/')}.py" for module in MODULES]
    extensions = mypyc.mypycify([*_OPTIONS, *paths], opt_level="3", debug_level="0", target_dir="c", group_name=GROUP)
    setuptools.setup(
        name=GROUP,
        packages=[],
        py_modules=[],
        ext_modules=extensions,
        script_args=["--quiet", "build_ext", "--build-lib", output, "--build-temp", "objects"],
    )


if __name__ == "__main__":
    main(sys.argv[1])
