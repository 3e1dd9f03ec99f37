"""What a finished stage holds: verify, inspect, account, compare, doctor."""
