"""The command line: one class for each command, one table of them, one reader of arguments."""
