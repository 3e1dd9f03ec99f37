"""From the command line to running ranks."""
