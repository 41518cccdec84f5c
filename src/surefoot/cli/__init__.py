"""The command line: one small file per command; each parses, calls one function of the library, and prints."""
