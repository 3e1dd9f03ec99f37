"""Inspection of finished stages and of the machine: verify, inspect, account, compare, doctor."""
