"""The command line: its parser, and one file for each family of commands."""
