"""All world events by name; their bases are in ``world_event``."""

from simulator.air_events import BonfireNight, ConstructionDust, Inversion, PollutionEpisode, SaharanDust
from simulator.energy_events import FeederFault, LightingStuck, Overload, SolarTrip, VoltageSag
from simulator.traffic_events import BurstMain, Crash, Crowd, Fog, Ice, Roadworks, StoppedVehicle
from simulator.world_event import AirEvent, EnergyEvent, TrafficEvent, WorldEvent

__all__ = [
    "AirEvent", "BonfireNight", "BurstMain", "ConstructionDust", "Crash", "Crowd", "EnergyEvent", "FeederFault", "Fog",
    "Ice", "Inversion", "LightingStuck", "Overload", "PollutionEpisode", "Roadworks", "SaharanDust", "SolarTrip",
    "StoppedVehicle", "TrafficEvent", "VoltageSag", "WorldEvent",
]  # fmt: skip

EVENTS: dict[str, type[WorldEvent]] = {
    event.kind: event
    for event in (
        Crash, StoppedVehicle, Roadworks, BurstMain, Crowd, Fog, Ice,
        PollutionEpisode, ConstructionDust, BonfireNight, SaharanDust, Inversion,
        FeederFault, Overload, VoltageSag, LightingStuck, SolarTrip,
    )
}  # fmt: skip
