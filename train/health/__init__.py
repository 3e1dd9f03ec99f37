"""Health of devices and cluster before a run: speed of each rank, network, disk, clocks, versions."""
