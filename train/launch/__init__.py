"""Launcher: the stage `train`, from its configuration to running ranks. No torch."""
