"""The tests as a stranger's machine would run them: `python -m tests.machines.hostile MODE... [what pytest takes]`.

    one-core      all on one core, beside three processes that never rest
    avx2          on a CPU whose AVX-512 is hidden from every library that has a switch for it
    unprivileged  as a user id that nobody knows, with no home, a read-only checkout, and the product installed as a
                  wheel beside it; wants root, which alone may become somebody else
    odd-locale    in Turkish with an encoding of one byte a character, and a clock 12:45 h off

    .venv/bin/python -m tests.machines.hostile avx2 tests/train/export
    .venv-3.13/bin/python -m tests.machines.hostile unprivileged odd-locale

Modes can be joined, and each Python that the project allows runs them from an environment of its own. Each says first
what the libraries see, so that nothing is called hidden that is not. One process runs the tests; the exit code is
pytest's. Linux only.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
NUM_BUSY = 3  # processes that take the one core away
NOBODY = 54_321  # a user id without a name
PYTEST = ("-m", "pytest", "-p", "no:cacheprovider")
# torch, CTranslate2, OpenBLAS, oneDNN, MKL, numba, Arrow and glibc, each by its own switch; NumPy's is asked for.
AVX2 = {
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=" + ",".join(f"-AVX512{part}" for part in ("F", "BW", "CD", "DQ", "VL")),
    "ATEN_CPU_CAPABILITY": "avx2",
    "CT2_FORCE_CPU_ISA": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "DNNL_MAX_CPU_ISA": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "NUMBA_CPU_NAME": "haswell",
    "NUMBA_CPU_FEATURES": "",
    "ARROW_USER_SIMD_LEVEL": "AVX2",
}
HIDDEN_FROM_NUMPY = "NPY_DISABLE_CPU_FEATURES"
# Prints the levels of NumPy that a CPU with AVX2 alone has not, among those that this one has.
NUMPY_BEYOND = """
from numpy._core._multiarray_umath import __cpu_dispatch__ as known, __cpu_features__ as here
print(*[name for name in known if here.get(name) and ("AVX512" in name or name == "X86_V4")])
"""
SEEN = """
import importlib.metadata, locale, os, time
import pipelines
print("product", os.path.dirname(pipelines.__file__), importlib.metadata.version("corpuscle"))
print("user", os.getuid(), "home", os.environ.get("HOME"), "cores", sorted(os.sched_getaffinity(0)))
print("locale", locale.setlocale(locale.LC_ALL, ""), locale.getpreferredencoding(False), *time.tzname)
"""
SEEN_CPU = """
import numpy, pyarrow, torch
from numpy._core._multiarray_umath import __cpu_features__ as found
print("numpy", *[name for name, has in found.items() if has and name.startswith("X86")])
print("torch", torch.backends.cpu.get_cpu_capability())
print("arrow", pyarrow.runtime_info().simd_level)
"""
# In a mount namespace of its own: a read-only checkout, and Python in reach of others where its folder is root's alone.
CONFINE = """
set -e
mount --bind "$CHECKOUT" "$CHECKOUT"
mount -o remount,bind,ro "$CHECKOUT"
if [ -n "$HIDDEN" ]; then
    mkdir -p "$SCRATCH/base"
    mount --bind "$BASE" "$SCRATCH/base"
    mount -t tmpfs -o mode=755 tmpfs "$HIDDEN"
    mkdir -p "$BASE"
    mount --bind "$SCRATCH/base" "$BASE"
fi
exec setpriv --reuid "$NOBODY" --regid "$NOBODY" --clear-groups --inh-caps=-all -- "$@"
"""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """How the tests are started: words before Python, which Python, words for pytest, and the environment."""

    before: tuple[str, ...] = ()
    python: str = sys.executable
    words: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    folder: Path = REPOSITORY
    show: str = SEEN


@contextmanager
def one_core() -> Iterator[Machine]:
    """One core, shared with processes that never rest."""
    core = min(os.sched_getaffinity(0))
    pinned = ("taskset", "--cpu-list", str(core))
    busy = [subprocess.Popen([*pinned, sys.executable, "-c", "while True: pass"]) for _ in range(NUM_BUSY)]
    try:
        yield Machine(before=pinned)
    finally:
        for process in busy:
            process.kill()
            process.wait()


@contextmanager
def avx2() -> Iterator[Machine]:
    """A CPU without AVX-512."""
    whole = {name: value for name, value in os.environ.items() if name != HIDDEN_FROM_NUMPY}  # as it is in this mode
    command = [sys.executable, "-c", NUMPY_BEYOND]
    beyond = subprocess.run(command, check=True, capture_output=True, text=True, env=whole).stdout
    yield Machine(environment={**AVX2, HIDDEN_FROM_NUMPY: beyond.strip()}, show=SEEN + SEEN_CPU)


@contextmanager
def odd_locale() -> Iterator[Machine]:
    """Turkish in ISO 8859-9, where i has another capital and most of Unicode no bytes; else POSIX."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        name = "tr_TR.ISO-8859-9"
        made = shutil.which("localedef") and subprocess.run(
            ["localedef", "-i", "tr_TR", "-f", "ISO-8859-9", f"{folder}/{name}"], capture_output=True, check=False
        )
        plain = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"}
        chosen = {"LC_ALL": name, "LOCPATH": folder} if made and Path(folder, name).exists() else plain
        yield Machine(environment={**chosen, "LANG": chosen["LC_ALL"], "PYTHONUTF8": "0", "TZ": "Pacific/Chatham"})


@contextmanager
def unprivileged() -> Iterator[Machine]:
    """An unknown user without a home, before a read-only checkout and a product that is installed."""
    if os.getuid():
        raise SystemExit("hostile: unprivileged wants root, which alone may become another user")
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        scratch.chmod(0o755)
        checkout, temporary = scratch / "checkout", scratch / "tmp"
        _copy_checkout(checkout)
        python = _install(checkout, scratch)
        temporary.mkdir()
        os.chown(temporary, NOBODY, NOBODY)
        base = Path(sys.base_prefix)
        hidden = next((str(one) for one in reversed(base.parents) if not one.stat().st_mode & 1), "")
        places = {"CHECKOUT": checkout, "SCRATCH": scratch, "BASE": base, "HIDDEN": hidden, "NOBODY": NOBODY}
        data = os.environ.get("CORPUSCLE_DATA") or (REPOSITORY.parent / "shared" / "data").resolve()
        own = {"HOME": "/nonexistent", "TMPDIR": temporary, "PYTHONPATH": scratch / "path", "PYTHONSAFEPATH": 1}
        environment = {key: str(value) for key, value in {**places, **own, "CORPUSCLE_DATA": data}.items()}
        before = ("unshare", "--mount", "bash", "-c", CONFINE, "confine")
        # The tests lie in the checkout, the product does not: pytest must not put the checkout on the path.
        words = ("--import-mode=importlib", "--override-ini", "pythonpath=")
        yield Machine(before=before, python=python, words=words, environment=environment, folder=checkout)


def _copy_checkout(checkout: Path) -> None:
    """Copy what git knows, or would add, of this checkout."""
    command = ["git", "-C", str(REPOSITORY), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(command, check=True, capture_output=True).stdout.decode().split("\0"):
        if name and (REPOSITORY / name).is_file():
            (checkout / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, checkout / name)


def _install(checkout: Path, scratch: Path) -> str:
    """Install the product as a wheel into an environment that takes all else from this one; return its Python."""
    layer = scratch / "layer"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(layer)], check=True)
    own = next(layer.glob("lib/python*/site-packages"))
    others = [path for path in sys.path if path.endswith("site-packages") and path.startswith(sys.prefix)]
    (own / "others.pth").write_text("\n".join(others) + "\n", encoding="utf-8")
    python = str(layer / "bin/python")
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", str(checkout)]
    subprocess.run(pip, check=True)
    (scratch / "path").mkdir()
    (scratch / "path" / "tests").symlink_to(checkout / "tests")
    return python


MODES = {"one-core": one_core, "avx2": avx2, "unprivileged": unprivileged, "odd-locale": odd_locale}


@contextmanager
def joined(names: Sequence[str]) -> Iterator[Machine]:
    """Several modes as one machine; of what only one can say (the folder, Python), the one that says it is heard."""
    plain = Machine()
    with ExitStack() as stack:
        machines = [stack.enter_context(MODES[name]()) for name in names]
        yield Machine(
            before=tuple(word for one in machines for word in one.before),
            python=next((one.python for one in machines if one.python != plain.python), plain.python),
            words=tuple(word for one in machines for word in one.words),
            environment={key: value for one in machines for key, value in one.environment.items()},
            folder=next((one.folder for one in machines if one.folder != plain.folder), plain.folder),
            show=max((one.show for one in machines), key=len),
        )


def main(words: Sequence[str]) -> int:
    """Run the tests in one mode or several; return pytest's exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.machines.hostile", description=(__doc__ or "").split(":")[0])
    parser.add_argument("mode", choices=MODES, help="more modes may follow, then what pytest takes")
    asked = parser.parse_known_args(words)[0].mode
    at = words.index(asked)
    chosen = [*takewhile(MODES.__contains__, words[at:])]
    names, rest = [*dict.fromkeys(chosen)], [*words[:at], *words[at + len(chosen) :]]
    with joined(names) as machine:
        environment = {**os.environ, **machine.environment}
        start = [*machine.before, machine.python]
        print(f"hostile: {' '.join(names)}", flush=True)
        subprocess.run([*start, "-c", machine.show], cwd=machine.folder, env=environment, check=True)
        command = [*start, *PYTEST, *machine.words, *rest]
        with subprocess.Popen(command, cwd=machine.folder, env=environment) as tests:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is pytest's, which then says what failed so far
            return tests.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
