"""Energy of training: kilowatt hours from the power of devices and their hours, and CO2 by a grid's stated factor.

Of the devices alone: processors, network, cooling and idle hours come on top, and a device draws its rated power only
when it is busy. No grid's factor stands here, for it is of a place and a year: who states one answers for it.
"""

from dataclasses import dataclass

from corpus import storage
from corpus.storage.json_files import parse_numbers

TIMING = "timing.jsonl"  # of a run: seconds and what follows from them
SECONDS_AN_HOUR = 3600


@dataclass(frozen=True, kw_only=True, slots=True)
class Energy:
    """Energy that devices take at their rated power; `grams_per_kwh` is what the user states of the grid."""

    devices: int
    watts: float  # of one device
    hours: float
    grams_per_kwh: float | None = None  # CO2 equivalents

    @property
    def kwh(self) -> float:
        """Kilowatt hours of all devices."""
        return self.devices * self.watts * self.hours / 1000

    @property
    def kg_co2(self) -> float | None:
        """Kilograms of CO2 equivalents; None without a grid's factor."""
        return None if self.grams_per_kwh is None else self.kwh * self.grams_per_kwh / 1000

    def text(self) -> str:
        """Return both with what they follow from."""
        found = f"{self.kwh:,.3g} kWh: {self.devices} x {self.watts:g} W for {self.hours:,.3g} h"
        if self.kwh >= 1000:
            found = f"{self.kwh:,.0f} kWh: {self.devices} x {self.watts:g} W for {self.hours:,.1f} h"
        if self.kg_co2 is None:
            return found
        amount = f"{self.kg_co2:,.0f}" if self.kg_co2 >= 1000 else f"{self.kg_co2:,.3g}"
        return f"{found}; {amount} kg CO2 at {self.grams_per_kwh:g} g a kWh"


def energy_of_run(run: str, step: int) -> str | None:
    """Return what a run's steps took until one of them, as its log says it; None where it does not."""
    path = storage.join(run, TIMING)
    if not storage.exists(path):
        return None
    with storage.open_read(path) as source:
        whole = [line for line in source if line.endswith(b"\n")]
    lines = [line for line in parse_numbers(whole, path, "remove this line") if "kwh" in line and line["step"] <= step]
    if not lines:
        return None
    found = f"{lines[-1]['kwh']:,.3g} kWh of the devices alone, at the power and for the hours of the steps in {TIMING}"
    co2 = lines[-1].get("kg_co2")
    return found if co2 is None else f"{found}; {co2:,.3g} kg CO2 by the grid's factor that was stated"
