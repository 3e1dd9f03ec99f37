"""Forecast of a training run: memory, time and cost, by formula. No torch."""
