"""Command line `corpuscle`: verbs, their options, what they print at their end."""
