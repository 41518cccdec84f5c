"""Who is compared: an optimizer with its options, ranges and name, ours or anybody's."""
