"""A fetch in a process of its own that dies by SIGKILL: `python -m tests.support.fetch_victim BASE OUTPUT POINT...`.

A point is one of `tests.support.killer.sitecustomize`.
"""

import sys

from tests.support.killer.sitecustomize import arm


def main() -> None:
    base, output, *points = sys.argv[1:]
    from tests.support.small_fetch import run

    for point in points:
        arm(point)
    run(base, output)


if __name__ == "__main__":
    main()
