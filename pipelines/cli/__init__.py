"""The command line `corpuscle`."""
