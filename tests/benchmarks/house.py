"""Rooms, floors and arrows of the source: `python -m tests.benchmarks.house`.

Prints each floor with its rooms and what they import, then one line of counts: rooms, floors, arrows, circles between
rooms, circles between modules, imports that run back up.
"""

from tests.support import house


def main() -> None:
    """Print the house, from the ground up."""
    graph = house.room_graph()
    found, inside = house.circles(graph), house.circles(house.module_graph())
    for members in found + inside:
        print("circle:", " ".join(members))
    if found:
        return
    floor = house.floors(graph)
    for level in range(1, max(floor.values()) + 1):
        for room in (room for room in house.ROOMS if floor[room] == level):
            print(f"{level}  {room:<20} ← {', '.join(sorted(graph[room])) or '(nothing)'}")
    up = sum(floor[target] >= floor[room] for room, targets in graph.items() for target in targets)
    arrows = sum(map(len, graph.values()))
    print(
        f"{len(graph)} rooms, {max(floor.values())} floors, {arrows} arrows, {len(found)} circles of rooms, "
        f"{len(inside)} circles of modules, {up} imports back up"
    )


if __name__ == "__main__":
    main()
