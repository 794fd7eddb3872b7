"""What a node keeps of the past, and how others get it."""
