"""Energy of training: kilowatt hours from the power of devices and their hours, and CO2 by a grid's stated factor.

Of the devices alone: processors, network, cooling and idle hours come on top, and a device draws its rated power only
when it is busy. No grid's factor stands here, for it is of a place and a year: who states one answers for it.
"""

from dataclasses import dataclass

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
