"""Plans as text: one table of spellings for each target."""
